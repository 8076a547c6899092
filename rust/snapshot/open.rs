//! How many connections are open, over all workers, under limits that hold exactly.

use std::net::Shutdown;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

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
    freed: Arc<Freed>,
}

/// Tells those who wait that a place may be had.
#[derive(Debug, Default)]
struct Freed {
    waiting: AtomicU32,
    notify: Notify,
}

/// A connection's place among those of its endpoint, and of its cluster where that has a limit;
/// dropping it counts the connection out.
#[derive(Debug)]
pub struct Lease(Arc<Shared>, Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    open: Arc<OpenCount>,
    /// Whether others may want its place.
    limited: bool,
    freed: Arc<Freed>,
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
        Some(Lease(self.share(limit)?, None))
    }

    fn share(&self, limit: u32) -> Option<Arc<Shared>> {
        if !self.open.more(limit) && !self.revoke() {
            return None;
        }
        let shared = Arc::new(Shared {
            open: Arc::clone(&self.open),
            limited: limit > 0,
            freed: Arc::clone(&self.freed),
            state: AtomicU8::new(USED),
            socket: OnceLock::new(),
        });
        if limit > 0 {
            let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            limited.retain(|lease| lease.strong_count() > 0);
            limited.push(Arc::downgrade(&shared));
        }
        Some(shared)
    }

    /// Who may have to wait for a place says so before it asks for one, so that it misses none.
    pub fn waiting(&self) -> Waiting<'_> {
        self.freed.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.freed)
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

/// One that waits; dropping it ends that.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Freed);

impl Waiting<'_> {
    /// Ends when a place may be had, at the latest after `patience`; whether one may.
    pub async fn freed(&self, patience: Duration) -> bool {
        let freed = self.0.notify.notified();
        tokio::time::timeout(patience, freed).await.is_ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Freed {
    fn tell(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            // Kept for who is about to wait.
            self.notify.notify_one();
        }
    }
}

impl Lease {
    /// The same, which counts among those of a cluster too, unless `limit` are open there.
    pub fn within(self, cluster: &Leases, limit: u32) -> Option<Self> {
        if limit == 0 {
            return Some(self);
        }
        Some(Self(self.0, Some(cluster.share(limit)?)))
    }

    fn shares(&self) -> impl Iterator<Item = &Arc<Shared>> {
        std::iter::once(&self.0).chain(&self.1)
    }

    /// The connection waits in a pool; others may close it from now on.
    pub fn rest(&self, socket: &Arc<socket2::Socket>) {
        for shared in self.shares().filter(|shared| shared.limited) {
            shared.socket.get_or_init(|| Arc::downgrade(socket));
            shared.change(USED, IDLE);
            shared.freed.tell();
        }
    }

    /// The connection is to carry a request; `false` when its place has gone to another.
    pub fn resume(&self) -> bool {
        self.shares()
            .all(|shared| !shared.limited || shared.change(IDLE, USED))
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
            self.freed.tell();
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
    fn a_connection_counts_at_its_endpoint_and_in_its_cluster() {
        let (one, other, cluster) = (Leases::default(), Leases::default(), Leases::default());
        let (socket, mut peer) = pair();
        let first = one.enter(0).unwrap().within(&cluster, 1).expect("room");
        let refused = other.enter(0).unwrap().within(&cluster, 1);
        assert!(refused.is_none());
        assert_eq!((one.value(), other.value(), cluster.value()), (1, 0, 1));
        first.rest(&socket);
        let second = other.enter(0).unwrap().within(&cluster, 1);
        assert_eq!(std::io::Read::read(&mut peer, &mut [0]).unwrap(), 0);
        assert!(!first.resume(), "its place is another endpoint's");
        drop(first);
        assert_eq!((one.value(), cluster.value()), (0, 1));
        drop(second);
        assert_eq!((other.value(), cluster.value()), (0, 0));
        let unlimited = one.enter(0).unwrap().within(&cluster, 0).expect("no limit");
        assert_eq!(cluster.value(), 0);
        drop(unlimited);
    }

    #[tokio::test]
    async fn who_waits_hears_of_a_place() {
        let leases = Arc::new(Leases::default());
        let lease = leases.enter(1).unwrap();
        let waiting = leases.waiting();
        assert!(leases.enter(1).is_none());
        assert!(!waiting.freed(Duration::ZERO).await);
        drop(lease);
        assert!(waiting.freed(Duration::from_mins(1)).await);
        assert!(leases.enter(1).is_some());
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
