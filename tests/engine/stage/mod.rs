//! What the tests are written in: a proxy from a configuration, and the peers around it.

mod authority;
mod given;
mod message;
mod peer;
mod proxy;
mod server;
mod upstream;

use std::time::Duration;

pub(crate) use authority::{Authority, client_config, server_config};
pub(crate) use given::{Given, given};
pub(crate) use peer::Peer;
pub(crate) use proxy::{Proxy, eventually};
pub(crate) use server::Server;
pub(crate) use upstream::{Upstream, nobody};

/// The longest that a test waits for anything: far above what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes that look like nothing and are the same each time.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Runs the calling test alone in a process of its own, where threads and descriptors can be
/// counted; `true` in that process.
pub(crate) fn in_a_process_of_its_own(test: &str) -> bool {
    const MARK: &str = "MESHCORE_TEST_CHILD";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(
        text.contains("1 passed"),
        "the test {test} is not there: {text}"
    );
    false
}
