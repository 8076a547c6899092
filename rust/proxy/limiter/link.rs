//! A worker's one connection to a Redis: made when it is needed, and after a failure not at once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::balance::Random;
use crate::error::{Error, ErrorKind};
use crate::pool::{ClusterRun, EndpointRun, InFlight, Tried, Upstream};
use crate::proxy::upstream::{self, Ask};
use crate::proxy::worker::Worker;
use crate::remote::redis::{Connection, resp};
use crate::route::Login;
use crate::runtime::clock;

/// The pause after a first failure, which doubles with each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it doubles: who is back is asked again within some two seconds.
const DOUBLINGS_MAX: u32 = 5;

/// A connection that says nothing for so many times of what a request waits is taken for lost.
const SILENCE: u32 = 4;

/// Where a Redis is, and how it is met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    pub(super) cluster: &'a Rc<ClusterRun>,
    /// What a request waits for its answer.
    pub(super) patience: Duration,
    pub(super) login: Option<&'a Arc<Login>>,
}

/// The same, for a task of its own.
struct Making {
    worker: Rc<Worker>,
    cluster: Rc<ClusterRun>,
    patience: Duration,
    login: Option<Arc<Login>>,
}

/// The connection of one service.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: RefCell<State>,
    failures: Cell<u32>,
    changes: Notify,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    None,
    /// Somebody makes one.
    Connecting,
    Open(Rc<Connection>, Rc<EndpointRun>),
    /// None is made before.
    Pauses(Instant),
}

impl Link {
    /// The connection.
    ///
    /// # Errors
    /// There is none now.
    pub(super) async fn obtain(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        server: Server<'_>,
    ) -> Result<Rc<Connection>, ErrorKind> {
        loop {
            match &*self.state.borrow() {
                State::Open(connection, run) if !connection.has_ended() && !run.has_left() => {
                    return Ok(Rc::clone(connection));
                }
                State::Pauses(until) if clock::now() < *until => {
                    return Err(ErrorKind::UpstreamConnect);
                }
                State::Connecting | State::Open(..) | State::Pauses(_) | State::None => {}
            }
            let before = self.state.replace(State::Connecting);
            if let State::Open(old, _) = &before {
                old.end();
            }
            if !matches!(before, State::Connecting) {
                // In a task of its own: who asks may lose patience, the next one needs it too.
                let making = Making {
                    worker: Rc::clone(worker),
                    cluster: Rc::clone(server.cluster),
                    patience: server.patience,
                    login: server.login.cloned(),
                };
                let making = Rc::clone(self).run(making);
                tokio::task::spawn_local(making);
            }
            self.changes.notified().await;
        }
    }

    /// No more is asked.
    pub(super) fn leave(&self) {
        if let State::Open(connection, _) = &*self.state.borrow() {
            connection.end();
        }
    }

    async fn run(self: Rc<Self>, making: Making) {
        let Making {
            worker,
            cluster,
            patience,
            login,
        } = making;
        let Ok((flight, upstream)) = connect(&worker, &cluster).await else {
            return self.pause(&worker);
        };
        let connection = Rc::new(Connection::new(patience * SILENCE));
        if let Some(login) = login
            && log_in(&connection, &login).is_none()
        {
            return self.pause(&worker);
        }
        let endpoint = Rc::clone(flight.run());
        *self.state.borrow_mut() = State::Open(Rc::clone(&connection), endpoint);
        self.changes.notify_waiters();
        connection.drive(&upstream.io).await;
        let current = match &*self.state.borrow() {
            State::Open(now, _) => Rc::ptr_eq(now, &connection),
            State::None | State::Connecting | State::Pauses(_) => false,
        };
        if current && connection.has_served() {
            // It worked: the next request may make another at once.
            self.failures.set(0);
            *self.state.borrow_mut() = State::None;
        } else if current {
            self.pause(&worker);
        }
    }

    fn pause(&self, worker: &Worker) {
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let pause = PAUSE * (1 << failures.min(DOUBLINGS_MAX));
        // Workers and proxies that lost the same Redis don't come back together.
        let extra = worker.with_random(Random::next_u64) % 512;
        let extra = pause * u32::try_from(extra).unwrap_or_default() / 1_024;
        *self.state.borrow_mut() = State::Pauses(clock::now() + pause + extra);
        self.changes.notify_waiters();
    }
}

/// Says who we are; what is wrong with that shows in each reply that follows.
fn log_in(connection: &Connection, login: &Login) -> Option<()> {
    let password = std::fs::read(&login.password_file).ok()?;
    let password = password.trim_ascii_end();
    let named = login.username.as_ref().map(|name| name.as_bytes());
    let words = [Some(&b"AUTH"[..]), named, Some(password)];
    let words: Vec<&[u8]> = words.into_iter().flatten().collect();
    connection.send(|out| resp::write(out, &words)).ok()?;
    Some(())
}

async fn connect(worker: &Worker, cluster: &Rc<ClusterRun>) -> Result<(InFlight, Upstream), Error> {
    let ask = Ask {
        reuse: false,
        client: None,
        local: None,
    };
    upstream::obtain(worker, cluster, &mut Tried::default(), ask).await
}
