//! HTTP/1 through the engine.

mod bodies;
mod early;
mod failures;
mod keep_alive;
mod leaving;
mod limits;
mod log;
mod pooled;
mod streams;
mod strict;
mod timeouts;
mod upgrade;
