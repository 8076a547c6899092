//! The C ABI of native hooks: what a filter is, what it sees, and how it is called.
//!
//! A filter is a table of functions (`include/meshcore_abi.h`); an instance of it has a configuration
//! and a state. Workers call it directly, without an interpreter and without a lock.

mod adopt;
mod call;
mod counters;
mod host;
mod instance;
mod library;
mod registry;
mod subject;
pub mod table;
mod waiting;

pub use adopt::AdoptError;
pub use instance::Instance;
pub use library::{LibraryError, load};
pub use registry::adopt;
pub use subject::{Attribute, Edit, Fault, Level, Phase, Phases, Refused, Subject, Verdict};

#[cfg(test)]
mod fake_tests;
