//! Threads, time and draining.
