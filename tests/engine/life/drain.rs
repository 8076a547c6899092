//! An ordered end.

use std::net::TcpStream;
use std::time::Duration;

use meshcore::engine::events::Event;

use crate::stage::{Server, Upstream, eventually, given};

#[test]
fn what_runs_is_finished_and_told_to_close() {
    let upstream = Upstream::new();
    let proxy = given().workers(2).to(upstream.address()).start();
    let at = proxy.address("web");
    let mut running = proxy.connect();
    running.get("/");
    let mut peer = upstream.accept();
    peer.message();
    let mut idle = proxy.connect();
    idle.get("/");
    let mut other = upstream.accept();
    other.message();
    other.answer("kept");
    assert_eq!(idle.message().field("connection"), "");
    let id = proxy.drain(Duration::from_secs(20));
    // An idle connection may make one more request, and is told that it was the last.
    eventually(|| match TcpStream::connect(at) {
        Ok(_) => Err("still accepting".to_owned()),
        Err(_) => Ok(()),
    });
    idle.get("/last");
    let (mut busy, answer) = (other, "last");
    busy.message();
    busy.answer(answer);
    let last = idle.message();
    assert_eq!((last.text(), last.field("connection")), ("last", "close"));
    idle.ends();
    peer.answer("finished");
    let response = running.message();
    assert_eq!(
        (response.text(), response.field("connection")),
        ("finished", "close")
    );
    running.ends();
    proxy.drained(id);
}

#[test]
fn an_idle_connection_is_closed_after_its_grace() {
    let server = Server::named("x");
    let proxy = given().to(server.address()).start();
    let mut used = proxy.connect();
    used.get("/");
    used.message();
    let mut unused = proxy.connect();
    proxy.has("/listeners/web/connections_active", 2);
    let id = proxy.drain(Duration::from_millis(20));
    used.ends();
    unused.ends();
    proxy.drained(id);
}

#[test]
fn a_drain_ends_with_its_time() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    let id = proxy
        .engine
        .drain(Duration::from_millis(30), Duration::ZERO);
    proxy.drained(id);
    proxy.engine.stop();
    client.is_left();
    peer.is_left();
}

#[test]
fn a_call_after_the_end_fails_and_does_not_hang() {
    let proxy = given().start();
    proxy.engine.stop();
    let id = proxy.engine.apply(b"{}".to_vec(), Vec::new());
    let answer = proxy.event(|event| matches!(event, Event::Failed(of, _) if *of == id));
    assert!(matches!(answer, Event::Failed(_, why) if why.contains("stopped")));
    proxy.engine.stop();
}
