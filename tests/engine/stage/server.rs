//! A server that answers every request with its name, for tests that send many.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::peer::Peer;

/// It serves until the process ends, as a stranger would.
pub(crate) struct Server {
    address: String,
    requests: Arc<AtomicU64>,
}

impl Server {
    pub(crate) fn named(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::<AtomicU64>::default();
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                thread::spawn(move || serve(Peer::plain(socket), name, &count));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut peer: Peer, name: &str, count: &AtomicU64) {
    while peer.try_message().is_ok() {
        count.fetch_add(1, Ordering::SeqCst);
        peer.answer(name);
    }
}
