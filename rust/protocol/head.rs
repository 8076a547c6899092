//! What a head consists of, whatever protocol carried it.

/// One field: a name as it came and a value without surrounding blanks.
pub use httparse::Header as Field;
