//! Hooks as one worker sees them: their counters, what is remembered of their verdicts, and what
//! they say of connections.

mod cache;
mod connection;
mod facts;
mod seat;
mod sharing;

pub use connection::admits;
pub use facts::{address, facts_of};
pub use seat::{Seat, Seats};
pub use sharing::{Asker, Ending, Turn};
