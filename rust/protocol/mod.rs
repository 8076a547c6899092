//! Bytes to heads and bodies and back; knows no sockets.

pub mod head;
