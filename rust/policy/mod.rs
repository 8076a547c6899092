//! What else is decided about a request than where it goes.
//!
//! Deciders know no clock and draw no numbers: both are arguments.

pub mod breaker;
pub mod fault;
pub mod gradient;
pub mod health;
pub mod health_check;
pub mod hold;
pub mod hook;
pub mod outcome;
pub mod outlier;
pub mod overload;
pub mod priority;
pub mod rate_limit;
pub mod retry;
pub mod retry_budget;
pub mod tcp_fault;
