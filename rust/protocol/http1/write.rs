//! Writes heads for the other side: what passes is copied byte by byte, what belongs to one
//! connection is written anew.

mod local;
mod request;
mod response;

pub use local::LocalReply;
pub use local::write_local_reply;
pub use request::write_request;
pub use response::ResponseEdits;
pub use response::write_response;
pub use response::write_switch;

pub use crate::protocol::edits::RequestEdits;

use crate::protocol::head::Version;

/// Room for the fields that we add, so that the buffer grows once.
const ADDED: usize = 256;

/// `name: value`.
#[inline]
fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn number(out: &mut Vec<u8>, name: &str, value: u64) {
    field(out, name, itoa::Buffer::new().format(value).as_bytes());
}

/// `via: 1.1 pseudonym`, with the version of the message as it was received.
fn via(out: &mut Vec<u8>, version: Version, pseudonym: &str) {
    out.extend_from_slice(b"via: ");
    out.extend_from_slice(version.number().as_bytes());
    out.push(b' ');
    out.extend_from_slice(pseudonym.as_bytes());
    out.extend_from_slice(b"\r\n");
}
