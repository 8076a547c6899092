//! The access log: what stands in a line, its two forms, and where lines go.

mod entry;
mod escape;
mod json;
mod output;
mod sink;
mod sinks;
mod text;

pub use entry::Entry;
pub use json::write_json;
pub use sink::LogSink;
pub use sinks::LogSinks;
pub use text::write_text;
