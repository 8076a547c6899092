//! Bytes to heads and bodies and back; knows no sockets, no clock and allocates nothing on the way.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub mod authority;
pub mod detect;
pub mod error;
pub mod head;
pub mod http1;
pub mod path;

pub use error::BodyError;
pub use error::HeadError;
