//! HTTP/2: from what the `h2` crate hands out to the heads that HTTP/1 has, and back.
//!
//! [`read_request`] and [`read_response`] check what the crate doesn't and give heads the one meaning
//! that they have in every version; [`write_request`] and [`write_response`] make messages for it.

mod fields;
mod frame;
pub mod guard;
pub mod request;
pub mod response;
pub mod trailers;

pub use request::check_size;
pub use request::join_cookies;
pub use request::read_request;
pub use request::write_request;
pub use response::read_response;
pub use response::write_response;
pub use response::write_tunnel;
pub use trailers::parse_trailers;
pub use trailers::passing_trailers;
pub use trailers::write_trailers;

#[cfg(test)]
#[path = "crate_tests.rs"]
mod crate_tests;
