//! The bridges, judged by what either side reads: the upstream gets the message that the client sent
//! or none, and the client the upstream's answer or the proxy's own.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore_fuzz::answer::Answer;
use meshcore_fuzz::draw::Draw;
use meshcore_fuzz::exchange::{Ask, requests};
use meshcore_fuzz::stage::{self, Proxy, Speaks};
use meshcore_fuzz::upstream::{Seen, Upstream};
use meshcore_fuzz::{client, judge};

/// What the client is.
#[derive(Clone, Copy, PartialEq)]
enum Client {
    /// Bytes of HTTP/1.
    Http1,
    /// Frames; the answer isn't read.
    Frames,
    /// The h2 crate, which sends what is tame.
    Crate,
}

fuzz_target!(|bytes: &[u8]| {
    let mut draw = Draw::new(bytes);
    let kind = draw.of(&[Client::Http1, Client::Frames, Client::Crate]);
    let speaks = draw.of(&[Speaks::Http1, Speaks::Http2]);
    let tame_ask = draw.byte() % 2 == 0 || kind == Client::Crate;
    let tame_answer = draw.byte() % 2 == 0;
    let part = usize::from(draw.byte()).max(1) * 8;
    let version = if kind == Client::Http1 { 1 } else { 2 };
    let ask = Ask::draw(&mut draw, version, tame_ask);
    let answer = Answer::draw(&mut draw, tame_answer);
    stage::play(speaks, |proxy| async move {
        let upstream = Upstream::begin(proxy.upstream(), speaks, answer);
        match kind {
            Client::Http1 => http1(&proxy, &upstream, (&ask, part), tame_answer).await,
            Client::Frames => frames(&proxy, &upstream, &ask).await,
            Client::Crate => by_crate(&proxy, &upstream, &ask, tame_answer).await,
        }
    });
});

async fn http1(proxy: &Proxy, upstream: &Upstream, (ask, part): (&Ask, usize), tame: bool) {
    let mut bytes = ask.http1();
    bytes.extend_from_slice(&Ask::canary().http1());
    let received = client::http1(proxy.connect(), &bytes, part).await;
    let sent = requests(&bytes);
    let seen = upstream.seen.borrow();
    judge::requests(&sent, &seen, true, ask.tame);
    judge::http1_answers(&received, &sent, &seen, ask.tame && tame);
}

async fn frames(proxy: &Proxy, upstream: &Upstream, ask: &Ask) {
    client::http2_frames(proxy.connect(), ask).await;
    let seen = upstream.seen.borrow();
    judge::requests(&sent(ask), &seen, false, ask.tame);
    if !ask.tame && ask.is_malformed() {
        let canary = Ask::canary().expected();
        let alone = |seen: &Seen| seen.request.path == canary.path;
        assert!(seen.iter().all(alone), "{ask:?}\n{seen:#?}");
    }
}

async fn by_crate(proxy: &Proxy, upstream: &Upstream, ask: &Ask, tame: bool) {
    let canary = Ask::canary();
    let got = client::http2_crate(proxy.connect(), [ask, &canary]).await;
    let seen = upstream.seen.borrow();
    let sent = sent(ask);
    judge::requests(&sent, &seen, false, true);
    judge::http2_answers(got, &sent, &seen, [tame, true]);
}

fn sent(ask: &Ask) -> [meshcore_fuzz::message::Request; 2] {
    [ask.expected(), Ask::canary().expected()]
}
