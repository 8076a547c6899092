//! TCP keepalive in the form that sockets take.

use std::time::Duration;

use socket2::TcpKeepalive;

use crate::wire::{self, Problems};

/// The kernel's bound of `TCP_KEEPCNT`.
const PROBES_MAX: u32 = 127;
/// The kernel's bound of `TCP_KEEPIDLE` and `TCP_KEEPINTVL`, in seconds.
const SECONDS_MAX: u64 = 32_767;

/// Checks the section `tcp_keepalive`.
pub(super) fn check(keepalive: &wire::TcpKeepalive, problems: &mut Problems) {
    if keepalive.probes > PROBES_MAX {
        let message = format!("{} is out of range", keepalive.probes);
        problems.add(
            "limit_invalid",
            "tcp_keepalive.probes",
            message,
            "write 1 to 127, or 0 for the system's",
        );
    }
    for (key, ms) in [
        ("time", keepalive.time_ms),
        ("interval", keepalive.interval_ms),
    ] {
        if ms % 1_000 != 0 || ms > SECONDS_MAX * 1_000 {
            problems.add(
                "duration_invalid",
                format!("tcp_keepalive.{key}"),
                format!("{ms} ms is not what the kernel takes"),
                "write whole seconds, at most 32767s; 0s is the system's",
            );
        }
    }
}

/// As sockets take it.
pub(super) fn compile(keepalive: &wire::TcpKeepalive) -> TcpKeepalive {
    let mut compiled = TcpKeepalive::new();
    if keepalive.probes > 0 {
        compiled = compiled.with_retries(keepalive.probes);
    }
    if keepalive.time_ms > 0 {
        compiled = compiled.with_time(Duration::from_millis(keepalive.time_ms));
    }
    if keepalive.interval_ms > 0 {
        compiled = compiled.with_interval(Duration::from_millis(keepalive.interval_ms));
    }
    compiled
}
