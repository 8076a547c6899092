//! What happens to a connection, in the order in which it happens.
