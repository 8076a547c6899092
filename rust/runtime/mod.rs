//! Threads, time, buffers and how many of each.

pub mod buffers;
pub mod clock;
pub mod cores;
pub mod host;
pub mod pinned;
pub mod slot;
pub mod timer;
pub mod usage;
pub mod workers;
