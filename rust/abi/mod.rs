//! The C ABI of native hooks: what a filter is, what it sees, and how it is called.
//!
//! A filter is a table of functions (`include/meshcore_abi.h`); an instance of it has a configuration
//! and a state. Workers call it directly, without an interpreter and without a lock.

mod instance;
mod subject;

pub use instance::Instance;
pub use subject::{Attribute, Edit, Fault, Level, Phase, Phases, Refused, Subject, Verdict};
