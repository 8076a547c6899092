//! Clients of what decisions need to know from elsewhere.

pub mod health;
