//! Whole connections of HTTP/2 through the guard and the h2 crate, as the engine uses them, from
//! either side: no bytes crash it, keep it or make it grow.

#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use meshcore_fuzz::answer::Answer;
use meshcore_fuzz::draw::Draw;
use meshcore_fuzz::exchange::Ask;
use meshcore_fuzz::stage::{self, Proxy, Speaks};
use meshcore_fuzz::upstream::Upstream;
use meshcore_fuzz::{client, http2};

/// Floods take many frames.
const REPEATED_BYTES: usize = 128 * 1024;

/// What a connection may cost: the window of all its streams, and what its streams hold.
const GROWTH_PAGES: u64 = 16 * 1024 * 1024 / 4096;

thread_local! {
    static MEMORY: File = File::open("/proc/self/statm").expect("a Linux");
}

/// Pages that are in memory.
fn pages() -> u64 {
    let mut text = [0; 64];
    let read = MEMORY.with(|file| file.read_at(&mut text, 0).expect("still there"));
    let text = std::str::from_utf8(&text[..read]).expect("digits");
    let resident = text.split_whitespace().nth(1).expect("the second number");
    resident.parse().expect("a number")
}

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let downstream = draw.byte() % 2 == 0;
    let speaks = draw.of(&[Speaks::Http1, Speaks::Http2]);
    let times = usize::from(draw.byte());
    let part = usize::from(draw.byte()).max(1) * 64;
    let bytes = draw.rest();
    let bytes = bytes.repeat(times.min(REPEATED_BYTES / bytes.len().max(1)).max(1));
    let before = pages();
    if downstream {
        let bytes = [http2::BEGINNING, &bytes].concat();
        stage::play(speaks, |proxy| from_client(proxy, speaks, bytes, part));
    } else {
        let bytes = [b"\0\0\0\x04\0\0\0\0\0", &bytes[..]].concat();
        stage::play(Speaks::Http2, |proxy| from_upstream(proxy, bytes, part));
    }
    let growth = pages().saturating_sub(before);
    assert!(growth <= GROWTH_PAGES, "{growth} pages");
});

async fn from_client(proxy: Proxy, speaks: Speaks, bytes: Vec<u8>, part: usize) {
    let upstream = Upstream::begin(proxy.upstream(), speaks, Answer::canary());
    client::http1(proxy.connect(), &bytes, part).await;
    drop(upstream);
}

async fn from_upstream(proxy: Proxy, bytes: Vec<u8>, part: usize) {
    let listener = proxy.upstream();
    let bytes: Rc<[u8]> = bytes.into();
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let bytes = Rc::clone(&bytes);
            tokio::task::spawn_local(async move { client::http1(stream, &bytes, part).await });
        }
    });
    client::http1(proxy.connect(), &Ask::canary().http1(), part).await;
}
