//! Sockets: listening, dialling, copying and what the kernel tells about them.
