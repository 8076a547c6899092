//! The listening sockets of the engine: kept over snapshots, handed to workers, given to a successor.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::net::listener;
use crate::net::{Address, address::Written};
use crate::snapshot::Listener;
use crate::wire::{Kind, Problem, Problems};

/// A listener's sockets, one per worker.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// As configured; its port may be 0.
    pub(super) address: Address,
    /// As bound.
    pub(super) actual: Address,
    pub(super) sockets: Vec<Arc<OwnedFd>>,
}

/// Where the admin interface listens.
#[derive(Debug)]
pub(super) struct AdminSocket {
    /// As configured; its port may be 0.
    pub(super) address: String,
    /// As bound.
    pub(super) actual: String,
    pub(super) listener: std::net::TcpListener,
}

/// All of them, by the listener's name.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) bound: HashMap<String, Bound>,
    /// Taken over from another process, by their listener's name or address, for the first change.
    inherited: HashMap<String, Vec<OwnedFd>>,
}

impl Sockets {
    /// Sockets that another process has handed over, each with the name or the address of the
    /// listener that it is for.
    ///
    /// # Errors
    /// A descriptor that is no listening socket.
    pub(super) fn inherit(sockets: Vec<(String, OwnedFd)>) -> io::Result<Self> {
        let mut inherited: HashMap<String, Vec<OwnedFd>> = HashMap::new();
        for (text, fd) in sockets {
            if !listener::is_listening(&fd) {
                let why = "a descriptor handed over is no listening socket";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            inherited.entry(key(&text)).or_default().push(fd);
        }
        Ok(Self {
            bound: HashMap::new(),
            inherited,
        })
    }

    /// The admin interface's socket: taken over, or bound now.
    ///
    /// # Errors
    /// Names the address.
    pub(super) fn admin(&mut self, text: &str) -> io::Result<AdminSocket> {
        let inherited = self.inherited.remove(&key(text));
        let listener = match inherited.and_then(|mut sockets| sockets.pop()) {
            Some(socket) => std::net::TcpListener::from(socket),
            None => std::net::TcpListener::bind(text).map_err(|error| admin_error(text, &error))?,
        };
        listener.set_nonblocking(true)?;
        Ok(AdminSocket {
            address: text.to_owned(),
            actual: listener.local_addr()?.to_string(),
            listener,
        })
    }

    /// Binds what `listeners` need and isn't bound; those of `going`, and listeners that move, may
    /// give theirs.
    pub(super) fn prepare<'l>(
        &mut self,
        listeners: impl Iterator<Item = &'l Arc<Listener>>,
        going: &HashSet<String>,
        workers: usize,
    ) -> Result<HashMap<String, Bound>, Vec<Problem>> {
        let mut wanting: Vec<&Arc<Listener>> = listeners.collect();
        wanting.retain(|listener| {
            let bound = self.bound.get(&*listener.name);
            // Port 0 may be named later by the number that it became.
            let same = |bound: &Bound| {
                bound.address == listener.address || bound.actual == listener.address
            };
            !bound.is_some_and(same)
        });
        let moving: HashSet<&str> = wanting.iter().map(|listener| &*listener.name).collect();
        let mut free: HashMap<Address, Bound> = self
            .bound
            .iter()
            .filter(|(name, _)| going.contains(*name) || moving.contains(&***name))
            .map(|(_, bound)| (bound.address.clone(), bound.clone()))
            .collect();
        let mut prepared = HashMap::new();
        let mut found = Vec::new();
        for listener in wanting {
            let freed = free.remove(&listener.address);
            match freed.map_or_else(|| self.bind(listener, workers), Ok) {
                Ok(bound) => drop(prepared.insert(listener.name.to_string(), bound)),
                Err(error) => found.push(problem(listener, &error)),
            }
        }
        if found.is_empty() {
            Ok(prepared)
        } else {
            Err(found)
        }
    }

    /// Closes what was taken over and no listener wanted: clients must not wait in its queue.
    pub(super) fn forget_inherited(&mut self) {
        self.inherited.clear();
    }

    fn bind(&mut self, listener: &Listener, workers: usize) -> io::Result<Bound> {
        let address = &listener.address;
        let named = self.inherited.remove(&*listener.name);
        let inherited = named.or_else(|| self.inherited.remove(&address.to_string()));
        let sockets = match inherited {
            Some(mut sockets) => {
                listener::more(address, workers, &mut sockets)?;
                sockets
            }
            None => listener::bind(address, workers)?,
        };
        let actual = match sockets.first() {
            Some(first) => listener::bound_address(first)?,
            None => address.clone(),
        };
        let sockets = sockets.into_iter().map(Arc::new).collect();
        Ok(Bound {
            address: address.clone(),
            actual,
            sockets,
        })
    }
}

/// What a socket that is handed over is found by.
fn key(text: &str) -> String {
    match Written::parse(text) {
        Ok(Written::Address(address)) => address.to_string(),
        _ => text.to_owned(),
    }
}

fn admin_error(address: &str, error: &io::Error) -> io::Error {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there; choose another with --admin",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege",
        _ => return io::Error::new(error.kind(), format!("admin address {address}: {error}")),
    };
    let words = format!("can't listen on admin address {address}: {why}");
    io::Error::new(error.kind(), words)
}

fn problem(listener: &Listener, error: &io::Error) -> Problem {
    let address = &listener.address;
    let port = address.ip().map_or(0, |ip| ip.port());
    let (code, why, hint) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            "address_in_use",
            "the address is in use, another process listens there".to_owned(),
            format!(
                "stop it (ss -ltnp 'sport = :{port}' names it), choose another port, or take over \
                 from a running meshcore proxy with --replace"
            ),
        ),
        io::ErrorKind::PermissionDenied if port > 0 && port < 1024 => (
            "address_privileged",
            "ports below 1024 need a privilege".to_owned(),
            "use a port from 1024 up, or grant CAP_NET_BIND_SERVICE".to_owned(),
        ),
        io::ErrorKind::AddrNotAvailable => (
            "address_not_local",
            "no interface of this machine has that address".to_owned(),
            "use 127.0.0.1, 0.0.0.0 or an address that `ip addr` shows".to_owned(),
        ),
        _ => ("address_unusable", error.to_string(), String::new()),
    };
    let mut problems = Problems::new(Kind::Listener, &listener.name);
    problems.add(
        code,
        "address",
        format!("can't listen on {address}: {why}"),
        hint,
    );
    problems.into_vec().remove(0)
}
