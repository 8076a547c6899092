//! TLS: credentials, handshakes and the identity that a handshake proves.
//!
//! The cryptography is aws-lc-rs by way of rustls, always named explicitly (`provider`), never
//! taken from a process-wide default. Early data (0-RTT) is off on both sides and has no switch.

pub mod accept;
pub mod connect;
pub mod credentials;
pub mod hello;
pub mod identity;
pub mod io;
pub mod stream;

mod pem;
mod provider;
mod resolver;
mod roots;
mod session;
mod verify;

#[cfg(test)]
mod fixtures;

pub use accept::ServerTls;
pub use connect::ClientTls;
pub use credentials::Credentials;
pub use identity::Identity;
pub use stream::TlsStream;
