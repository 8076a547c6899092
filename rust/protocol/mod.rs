//! Bytes to heads and bodies and back; knows no sockets and no clock. HTTP/1 allocates nothing on the
//! way; HTTP/2 what the `h2` crate's types ask for.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub mod authority;
pub mod detect;
pub mod editable;
pub mod edits;
pub mod error;
pub mod grpc;
pub mod grpc_health;
pub mod grpc_web;
pub mod head;
pub mod http1;
pub mod http2;
pub mod path;
pub mod websocket;

pub use error::BodyError;
pub use error::HeadError;
