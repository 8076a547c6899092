//! How many connections are open, over all workers, under limits that hold exactly.

use std::net::Shutdown;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// A number of things that are open.
#[derive(Debug, Default)]
pub struct OpenCount(AtomicU32);

impl OpenCount {
    /// Counts one more unless `limit` (0: none) is reached; dropping the place counts it out.
    pub fn enter(self: &Arc<Self>, limit: u32) -> Option<Place> {
        self.more(limit).then(|| Place(Arc::clone(self)))
    }

    /// How many are open.
    pub fn value(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn more(&self, limit: u32) -> bool {
        // Relaxed: a count guards no other memory. A read-modify-write makes the limit exact.
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (limit == 0 || open < limit).then(|| open + 1)
            })
            .is_ok()
    }

    fn less(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One of an [`OpenCount`].
#[derive(Debug)]
pub struct Place(Arc<OpenCount>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.less();
    }
}

/// An endpoint's connections. Where a limit holds, one that waits in any worker's pool gives its
/// place to a request of any other: an idle connection must not turn a request away.
#[derive(Debug, Default)]
pub struct Leases {
    open: Arc<OpenCount>,
    /// Those under a limit, so at most as many; oldest first. Locked where a connection begins or
    /// ends, never for a request that finds one.
    limited: Mutex<Vec<Weak<Shared>>>,
}

/// A connection's place among those of its endpoint; dropping it counts the connection out.
#[derive(Debug)]
pub struct Lease(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    open: Arc<OpenCount>,
    /// Whether others may want its place.
    limited: bool,
    state: AtomicU8,
    socket: OnceLock<Weak<socket2::Socket>>,
}

/// Carries a request.
const USED: u8 = 0;
/// Waits in a pool.
const IDLE: u8 = 1;
/// Has lost its place to another.
const REVOKED: u8 = 2;

impl Leases {
    /// A place for one more connection: a free one, or that of a connection that waits for a
    /// request and is closed by this. `None` when `limit` (0: none) connections carry requests.
    pub fn enter(&self, limit: u32) -> Option<Lease> {
        if !self.open.more(limit) && !self.revoke() {
            return None;
        }
        let shared = Arc::new(Shared {
            open: Arc::clone(&self.open),
            limited: limit > 0,
            state: AtomicU8::new(USED),
            socket: OnceLock::new(),
        });
        if limit > 0 {
            let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            limited.retain(|lease| lease.strong_count() > 0);
            limited.push(Arc::downgrade(&shared));
        }
        Some(Lease(shared))
    }

    /// How many are open.
    pub fn value(&self) -> u32 {
        self.open.value()
    }

    /// Closes an idle connection and keeps its place.
    fn revoke(&self) -> bool {
        let limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        let revoked = limited.iter().find_map(|lease| {
            let lease = lease.upgrade()?;
            lease.change(IDLE, REVOKED).then_some(lease)
        });
        let socket = revoked.as_ref().and_then(|lease| lease.socket.get());
        if let Some(socket) = socket.and_then(Weak::upgrade) {
            // Before the new connection begins; the owner finds it closed and drops it.
            let _ = socket.shutdown(Shutdown::Both);
        }
        revoked.is_some()
    }
}

impl Lease {
    /// The connection waits in a pool; others may close it from now on.
    pub fn rest(&self, socket: &Arc<socket2::Socket>) {
        if self.0.limited {
            self.0.socket.get_or_init(|| Arc::downgrade(socket));
            self.0.change(USED, IDLE);
        }
    }

    /// The connection is to carry a request; `false` when its place has gone to another.
    pub fn resume(&self) -> bool {
        !self.0.limited || self.0.change(IDLE, USED)
    }
}

impl Shared {
    fn change(&self, from: u8, to: u8) -> bool {
        // Release and acquire: who revokes sees the socket that the owner has left.
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if *self.state.get_mut() != REVOKED {
            self.open.less();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_count_is_exact() {
        let count = Arc::new(OpenCount::default());
        let places: Vec<_> = (0..3).map_while(|_| count.enter(3)).collect();
        assert_eq!((places.len(), count.value()), (3, 3));
        assert!(count.enter(3).is_none());
        drop(places);
        assert_eq!(count.value(), 0);
    }

    #[test]
    fn an_idle_connection_gives_its_place_and_is_closed() {
        let (socket, mut peer) = pair();
        let leases = Leases::default();
        let (first, second) = (leases.enter(2).unwrap(), leases.enter(2).unwrap());
        assert!(leases.enter(2).is_none(), "both carry requests");
        second.rest(&socket);
        let third = leases.enter(2).expect("the idle one's place");
        assert_eq!(std::io::Read::read(&mut peer, &mut [0]).unwrap(), 0);
        assert!(!second.resume());
        assert_eq!(leases.value(), 2);
        drop(second);
        assert_eq!(leases.value(), 2, "its place is the third's");
        drop((first, third));
        assert_eq!(leases.value(), 0);
    }

    #[test]
    fn who_resumed_first_keeps_its_place() {
        let (socket, _peer) = pair();
        let leases = Leases::default();
        let lease = leases.enter(1).unwrap();
        lease.rest(&socket);
        assert!(lease.resume());
        assert!(leases.enter(1).is_none());
    }

    fn pair() -> (Arc<socket2::Socket>, std::os::unix::net::UnixStream) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        (
            Arc::new(socket2::Socket::from(std::os::fd::OwnedFd::from(ours))),
            theirs,
        )
    }
}
