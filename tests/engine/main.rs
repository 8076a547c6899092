//! The engine with real sockets on loopback and nothing else: given a configuration, when a peer
//! does something, then the other side sees exactly what it should.
//!
//! Both ends of each connection are scripted in the test's own thread, in the order in which things
//! happen; nothing sleeps, and whatever waits has `stage::PATIENCE`.

#[cfg(test)]
mod bytes;
#[cfg(test)]
mod http;
#[cfg(test)]
mod life;
#[cfg(test)]
mod stage;
