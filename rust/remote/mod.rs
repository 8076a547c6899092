//! What is said to services that several proxies ask: formats, and who waits for which answer.

pub mod protobuf;
pub mod redis;
pub mod rls;
