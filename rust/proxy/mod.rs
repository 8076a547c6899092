//! What happens to a connection, in the order in which it happens.

pub mod accept;
pub mod arrival;
pub mod budget;
pub mod connection;
pub mod early;
pub mod fill;
pub mod flow;
pub mod hooks;
pub mod http;
pub mod limiter;
pub mod link;
pub mod listener;
mod log;
mod pending;
mod renew;
pub mod tcp;
pub mod upstream;
pub mod worker;
