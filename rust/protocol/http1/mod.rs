//! HTTP/1: finds heads, reads them strictly, writes them for the other side, and walks chunked
//! bodies.
//!
//! [`HeadScanner`] finds where a head ends, [`parse_request`] and [`parse_response`] read it, the
//! functions of [`write`] write it anew, [`ChunkScanner`] checks a chunked body where it lies.
//! What is ambiguous is refused, never repaired.

pub mod chunked;
pub mod fields;
pub mod framing;
pub(crate) mod names;
pub mod request;
pub mod response;
pub mod scan;
pub(crate) mod trailer;
pub mod write;

pub use chunked::ChunkMode;
pub use chunked::ChunkScanner;
pub use chunked::Scanned;
pub use fields::FieldStorage;
pub use framing::Framing;
pub use framing::ResponseFraming;
pub use request::RequestHead;
pub use request::TargetForm;
pub use request::parse_request;
pub use response::RequestMethod;
pub use response::ResponseHead;
pub use response::parse_response;
pub use scan::HeadLimits;
pub use scan::HeadScanner;
pub use write::LocalReply;
pub use write::RequestEdits;
pub use write::ResponseEdits;
pub use write::write_local_reply;
pub use write::write_request;
pub use write::write_response;
pub use write::write_switch;

pub use super::head::Version;

#[cfg(test)]
mod tests;
