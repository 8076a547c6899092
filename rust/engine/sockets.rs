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

/// All of them, by the listener's name.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) bound: HashMap<String, Bound>,
    /// Taken over from another process, by address, until a listener wants them.
    inherited: HashMap<Address, Vec<OwnedFd>>,
}

impl Sockets {
    /// Sockets that another process has handed over.
    ///
    /// # Errors
    /// A descriptor that is no listening socket, or an address that can't be read.
    pub(super) fn inherit(sockets: Vec<(String, OwnedFd)>) -> io::Result<Self> {
        let mut inherited: HashMap<Address, Vec<OwnedFd>> = HashMap::new();
        for (text, fd) in sockets {
            let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
            if !listener::is_listening(&fd) {
                return Err(invalid("a descriptor handed over is no listening socket"));
            }
            match Written::parse(&text) {
                Ok(Written::Address(address)) => inherited.entry(address).or_default().push(fd),
                _ => return Err(invalid("an address handed over can't be read")),
            }
        }
        Ok(Self {
            bound: HashMap::new(),
            inherited,
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
            match freed.map_or_else(|| self.bind(&listener.address, workers), Ok) {
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

    fn bind(&mut self, address: &Address, workers: usize) -> io::Result<Bound> {
        let sockets = match self.inherited.remove(address) {
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
