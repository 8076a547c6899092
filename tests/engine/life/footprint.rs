//! What the engine takes of the machine: threads, descriptors, memory. Each in a process of its own.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use meshcore::runtime::clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::stage::{Peer, Server, Upstream, eventually, given, in_a_process_of_its_own};

fn entries(of: &str) -> usize {
    std::fs::read_dir(of).unwrap().count()
}

fn counts() -> (usize, usize) {
    (entries("/proc/self/task"), entries("/proc/self/fd"))
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

#[test]
fn stop_leaves_no_thread_and_no_descriptor() {
    if !in_a_process_of_its_own("life::footprint::stop_leaves_no_thread_and_no_descriptor") {
        return;
    }
    let upstream = Upstream::new();
    let before = counts();
    for _ in 0..3 {
        let one = given().workers(2).to(upstream.address()).start();
        let two = given().tcp().to(upstream.address()).start();
        let mut client = one.connect();
        client.get("/");
        let mut peer = upstream.accept();
        peer.message();
        peer.answer("pooled");
        client.message();
        let mut raw = two.connect();
        raw.send("x");
        let mut held = upstream.accept();
        held.exactly(1);
        one.engine.stop();
        two.engine.stop();
        for peer in [&mut client, &mut peer, &mut raw, &mut held] {
            peer.is_left();
        }
        drop((one, two, client, peer, raw, held));
        // A thread that was joined may stand in the kernel's list for a moment more.
        eventually(|| match counts() {
            now if now == before => Ok(()),
            now => Err(format!(
                "{now:?} threads and descriptors, {before:?} before"
            )),
        });
    }
}

#[test]
fn a_slow_reader_holds_little() {
    const READERS: usize = 32;
    const EACH_MAX: usize = 256 * 1024;
    if !in_a_process_of_its_own("life::footprint::a_slow_reader_holds_little") {
        return;
    }
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let block = vec![b'x'; 64 * 1024];
    let mut held = Vec::new();
    let mut before = 0;
    for reader in 0..=READERS {
        let mut client = proxy.connect();
        client.get("/");
        let mut peer = upstream.accept();
        peer.message();
        let framing = [
            "content-length: 1073741824",
            "transfer-encoding: chunked",
            "x: y",
        ];
        peer.send(format!(
            "HTTP/1.1 200 OK\r\n{}\r\n\r\n",
            framing[reader % 3]
        ));
        if reader % 3 == 1 {
            peer.send("40000000\r\n");
        }
        fill(&peer, &block);
        held.push((client, peer));
        if reader == 0 {
            // The first brings what is there once.
            before = resident();
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(
        grown <= READERS * EACH_MAX,
        "{} KiB each",
        grown / READERS / 1024
    );
}

/// Writes until nobody has taken anything for a while.
fn fill(peer: &Peer, block: &[u8]) {
    let mut socket = peer.socket();
    socket.set_nonblocking(true).unwrap();
    let quiet = Timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    loop {
        let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT)];
        if poll(&mut fds, Some(&quiet)) == Ok(0) {
            break;
        }
        while socket.write(block).is_ok() {}
    }
    socket.set_nonblocking(false).unwrap();
}

#[test]
fn without_descriptors_accepting_pauses_and_recovers() {
    if !in_a_process_of_its_own(
        "life::footprint::without_descriptors_accepting_pauses_and_recovers",
    ) {
        return;
    }
    let server = Server::named("served");
    let proxy = given().to(server.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    assert_eq!(client.message().text(), "served");
    let at = proxy.address("web");
    let usual = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: Some(entries("/proc/self/fd") as u64 + 8),
        maximum: usual.maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let files = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok());
    let mut ballast: Vec<std::fs::File> = files.collect();
    // The client's own end takes the last descriptor; none is left to accept it with.
    ballast.pop();
    let mut unlucky = std::net::TcpStream::connect(at).unwrap();
    let begun = clock::now();
    let failed = || proxy.stat("/workers/0/accept_errors_total");
    eventually(|| {
        if failed() >= 4 {
            Ok(())
        } else {
            Err("accepting doesn't fail".to_owned())
        }
    });
    assert!(
        clock::now() - begun >= Duration::from_millis(250),
        "it spins"
    );
    client.get("/");
    assert_eq!(
        client.message().text(),
        "served",
        "who was accepted before is served on"
    );
    drop(ballast);
    setrlimit(Resource::Nofile, usual).unwrap();
    unlucky
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    unlucky.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("served"),
        "{answer}"
    );
}
