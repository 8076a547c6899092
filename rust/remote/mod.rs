//! Clients of what decisions need to know from elsewhere.

pub mod desk;
pub mod health;
pub mod protobuf;
pub mod redis;
pub mod rls;
