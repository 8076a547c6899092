//! Hooks as one worker sees them: their counters, what is remembered of their verdicts, and what
//! they say of connections.

mod cache;
mod connection;
mod facts;
mod seat;

pub use connection::admits;
pub use facts::{address, facts_of};
pub use seat::{Seat, Seats};
