use std::io::{Read as _, Write as _};
use std::rc::Rc;

use super::*;
use crate::net::{Address, dial::dial};

const PATIENCE: Duration = Duration::from_millis(50);

/// Drives a connection to a peer, while `work` uses it and `peer` answers on a thread.
fn run<F: Future<Output = ()>>(
    peer: impl FnOnce(std::net::TcpStream) + Send + 'static,
    work: impl FnOnce(Rc<Connection>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Ip(listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || peer(listener.accept().unwrap().0));
    runtime.block_on(async {
        let io = Io::Plain(dial(&address).await.unwrap());
        let connection = Rc::new(Connection::new(PATIENCE));
        let driven = Rc::clone(&connection);
        let driver = tokio::task::spawn_local(async move { driven.drive(&io).await });
        work(Rc::clone(&connection)).await;
        connection.end();
        driver.await.unwrap();
    });
    thread.join().unwrap();
}

#[test]
fn many_commands_go_out_before_a_reply_comes() {
    let peer = |mut peer: std::net::TcpStream| {
        let mut read = [0; 14 * 3];
        peer.read_exact(&mut read).unwrap();
        assert_eq!(&read, &b"*1\r\n$4\r\nPING\r\n".repeat(3)[..]);
        peer.write_all(b":1\r\n:2\r\n:3\r\n").unwrap();
        assert_eq!(peer.read(&mut read).unwrap(), 0);
    };
    run(peer, async |connection| {
        let ask = || connection.send(|out| resp::write(out, &[b"PING"])).unwrap();
        let waiting = [ask(), ask(), ask()];
        for (reply, number) in waiting.into_iter().zip(1..) {
            assert_eq!(reply.await, Ok(Reply::Integer(number)));
        }
        assert!(connection.has_served());
    });
}

#[test]
fn a_silence_while_somebody_waits_is_an_end() {
    let peer = |mut peer: std::net::TcpStream| {
        let mut read = [0; 14];
        peer.read_exact(&mut read).unwrap();
        assert_eq!(peer.read(&mut read).unwrap(), 0);
    };
    run(peer, async |connection| {
        tokio::time::sleep(2 * PATIENCE).await;
        assert!(!connection.has_ended());
        let waiting = connection.send(|out| resp::write(out, &[b"PING"]));
        assert!(waiting.unwrap().await.is_err());
        assert!(connection.has_ended());
        assert!(connection.send(|_| {}).is_err());
    });
}

#[test]
fn what_nobody_asked_for_is_an_end() {
    for bytes in [&b"+OK\r\n"[..], b"HTTP/1.1 400\r\n"] {
        let peer = move |mut peer: std::net::TcpStream| {
            peer.write_all(bytes).unwrap();
            assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        };
        run(peer, async |connection| {
            while !connection.has_ended() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
}
