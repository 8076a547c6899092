//! Bounds of what may be written about HTTP/2, the same for listeners and clusters.

use std::ops::RangeInclusive;

use crate::wire::{self, Problems};

/// The largest number of streams and bytes that HTTP/2 can say (RFC 9113 §5.1.1 and §6.9.1).
const LARGEST: u32 = 0x7FFF_FFFF;
/// The smallest `SETTINGS_MAX_FRAME_SIZE` (RFC 9113 §4.2): a window that doesn't hold one such frame
/// makes a round trip of each few bytes.
const SMALLEST_STREAM_WINDOW: u32 = 16 * 1024;
/// What every connection begins with; nothing can make it smaller (RFC 9113 §6.9.2).
const SMALLEST_CONNECTION_WINDOW: u32 = 65_535;

/// Checks the numbers of a section `http2`.
pub(super) fn check(http2: &wire::Http2, problems: &mut Problems) {
    let mut bound = |key: &str, value: u32, allowed: RangeInclusive<u32>| {
        if !allowed.contains(&value) {
            problems.add(
                "limit_invalid",
                format!("http2.{key}"),
                format!("{value} is out of range"),
                format!("write {} to {}", allowed.start(), allowed.end()),
            );
        }
    };
    bound(
        "max_concurrent_streams",
        http2.max_concurrent_streams,
        1..=LARGEST,
    );
    bound(
        "initial_stream_window_size",
        http2.initial_stream_window_size,
        SMALLEST_STREAM_WINDOW..=LARGEST,
    );
    bound(
        "initial_connection_window_size",
        http2.initial_connection_window_size,
        SMALLEST_CONNECTION_WINDOW..=LARGEST,
    );
    if http2.keepalive_timeout_ms == 0 {
        problems.add(
            "timeout_zero",
            "http2.keepalive_timeout",
            "no PING is answered within 0s",
            "write a duration above 0s, for example 20s; keepalive_interval: 0s is off",
        );
    }
}
