//! The proxy as a worker runs it, without threads: connections are socket pairs, upstreams unix
//! sockets, and all tasks are dropped with the input that began them.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use meshcore::net::Socket;
use meshcore::proxy::connection;
use meshcore::proxy::worker::Worker;
use meshcore::snapshot::{Compiler, Names, Snapshot, Surroundings};
use meshcore::telemetry::{LogSinks, Registry};
use meshcore::tls::Credentials;
use meshcore::wire::Delta;
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// The client's address, as `X-Forwarded-For` has to name it.
pub const CLIENT_IP: &str = "192.0.2.1";

/// Where the sockets of a process are, before its number.
const FOLDER: &str = "meshcore-fuzz-";

/// What the proxy calls itself in Via.
pub const PSEUDONYM: &str = "fuzz";

/// An input that takes longer hangs: all waits of the proxy that could end it are longer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What an upstream speaks; a listener of the same name leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Speaks {
    const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }
}

/// Where inputs are played; one for a process.
pub struct Stage {
    runtime: Runtime,
    registry: Arc<Registry>,
    snapshot: Arc<Snapshot>,
    http1: Rc<UnixListener>,
    http2: Rc<UnixListener>,
}

/// The proxy for one input.
pub struct Proxy {
    worker: Rc<Worker>,
    upstream: Rc<UnixListener>,
    speaks: Speaks,
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Plays one input on a proxy that no other has used, before an upstream that speaks this.
///
/// # Panics
/// When it takes too long, and where `play` does.
pub fn play<F: Future>(speaks: Speaks, play: impl FnOnce(Proxy) -> F) -> F::Output {
    STAGE.with_borrow_mut(|stage| {
        let stage = stage.get_or_insert_with(Stage::new);
        let tasks = LocalSet::new();
        tasks.block_on(&stage.runtime, async {
            let proxy = stage.proxy(speaks);
            let played = tokio::time::timeout(PATIENCE, play(proxy)).await;
            played.expect("it hangs")
        })
    })
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let registry = Arc::new(Registry::new());
        remove_leftovers();
        let folder = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for sockets");
        let path = |speaks: Speaks| folder.join(speaks.name());
        let bound = runtime.block_on(async {
            // Ours to hear, so that it doesn't end the process: libFuzzer's main leaves it as it was.
            let _ = signal(SignalKind::pipe()).expect("a handler");
            [Speaks::Http1, Speaks::Http2].map(|speaks| {
                // Left by a process that had our number before.
                let _ = std::fs::remove_file(path(speaks));
                Rc::new(UnixListener::bind(path(speaks)).expect("a socket"))
            })
        });
        let snapshot = compile(&registry, path);
        let [http1, http2] = bound;
        Self {
            runtime,
            registry,
            snapshot,
            http1,
            http2,
        }
    }

    fn proxy(&self, speaks: Speaks) -> Proxy {
        let worker = Rc::new(Worker::new(
            0,
            (Arc::clone(&self.registry), Arc::default()),
            1,
        ));
        worker.install(&self.snapshot);
        let upstream = match speaks {
            Speaks::Http1 => &self.http1,
            Speaks::Http2 => &self.http2,
        };
        Proxy {
            worker,
            upstream: Rc::clone(upstream),
            speaks,
        }
    }
}

/// Takes away the sockets of processes that have ended: libFuzzer ends them without a farewell.
fn remove_leftovers() {
    let folders = std::fs::read_dir(std::env::temp_dir());
    for folder in folders.into_iter().flatten().flatten() {
        let name = folder.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER));
        if process.is_some_and(|process| !PathBuf::from("/proc").join(process).exists()) {
            let _ = std::fs::remove_dir_all(folder.path());
        }
    }
}

fn compile(registry: &Arc<Registry>, path: impl Fn(Speaks) -> PathBuf) -> Arc<Snapshot> {
    let all = [Speaks::Http1, Speaks::Http2];
    let delta = json!({
        "listeners": all.map(|speaks| json!({
            "name": speaks.name(),
            "address": format!("unix:/never/bound/{}", speaks.name()),
            "route_table": speaks.name(),
            // Paths are compared: `path` is the target for their normal forms.
            "http": {"via": PSEUDONYM, "path_normalization": "none"},
        })),
        "route_tables": all.map(|speaks| json!({
            "name": speaks.name(),
            "routes": [{"name": "all", "to": [{"cluster": speaks.name()}]}],
        })),
        "clusters": all.map(|speaks| json!({"name": speaks.name(), "protocol": speaks.name()})),
        "endpoints": all.map(|speaks| json!({
            "name": speaks.name(),
            "endpoints": [{"address": format!("unix:{}", path(speaks).display())}],
        })),
    });
    let delta: Delta = serde_json::from_value(delta).expect("the wire format");
    let around = Surroundings {
        credentials: &Credentials::default(),
        logs: &LogSinks::new(Arc::clone(registry)),
        names: &Names::new(),
    };
    let mut compiler = Compiler::default();
    let staged = compiler.stage(delta, &around).expect("a valid document");
    compiler.commit(staged)
}

impl Proxy {
    /// A client's new connection.
    ///
    /// # Panics
    /// When descriptors lack.
    pub fn connect(&self) -> UnixStream {
        let listener = self.worker.listener(self.speaks.name()).expect("ours");
        let (near, far) = socket2::Socket::pair(
            socket2::Domain::UNIX,
            socket2::Type::STREAM.nonblocking().cloexec(),
            None,
        )
        .expect("a pair of sockets");
        let place = listener.current().listener.open.enter(0).expect("no limit");
        let peer: SocketAddr = format!("{CLIENT_IP}:1").parse().expect("an address");
        let far = Socket::new(far).expect("a runtime");
        connection::spawn(&self.worker, &listener, (far, Some(peer)), place);
        let near = std::os::unix::net::UnixStream::from(std::os::fd::OwnedFd::from(near));
        UnixStream::from_std(near).expect("a runtime")
    }

    /// Where the proxy's connections to the upstream arrive.
    pub fn upstream(&self) -> Rc<UnixListener> {
        Rc::clone(&self.upstream)
    }
}
