//! Sockets: listening, dialling, moving bytes and what the kernel tells about them.

pub mod address;
pub mod dial;
pub mod listener;
pub mod proxy_protocol;
pub mod socket;
pub mod splice;
mod sys;

pub use address::Address;
pub use socket::Socket;
