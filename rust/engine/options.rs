//! How an engine is started, and what accompanies a change.

use std::os::fd::OwnedFd;

/// How an engine is started.
#[derive(Debug, Default)]
pub struct Options {
    /// Worker threads; 0 takes what the cgroup allows.
    pub workers: usize,
    /// Where the admin interface listens; `None` starts none.
    pub admin: Option<String>,
    /// Pin each worker to a core.
    pub pin: bool,
    /// Listening sockets taken over, for the first change: the name of the listener that each is
    /// for or its address as configured, and the socket.
    pub sockets: Vec<(String, OwnedFd)>,
}

/// A certificate chain with its key, or trust anchors.
#[derive(Debug)]
pub struct Credential {
    /// What resources call it; the same name must always mean the same bytes.
    pub name: String,
    /// The chain, or the anchors.
    pub certificate: Vec<u8>,
    /// The key; `None` makes it trust anchors.
    pub key: Option<Vec<u8>>,
}
