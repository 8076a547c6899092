//! Who is let in, and how long a connection may last.

use tokio::time::{Duration, timeout};

use super::*;

/// A head with this `Host`.
fn head(host: &str, fields: &str) -> String {
    format!("GET /ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n")
}

#[tokio::test]
async fn names_that_foreign_dns_could_point_here_are_refused() {
    let server = Server::start().await;
    for host in [
        "localhost",
        "LOCALHOST:15000",
        "127.0.0.1:1",
        "127.9.9.9",
        "[::1]:15000",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(server.raw(&head(host, "")).await.0, 200, "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:15000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil@localhost",
        "10.0.0.1",
        "[::2]",
        "localhost:1:2",
        "",
    ] {
        assert_eq!(server.raw(&head(host, "")).await.0, 403, "{host}");
    }
}

#[tokio::test]
async fn a_request_has_one_host() {
    let server = Server::start().await;
    let two = head("localhost", "Host: localhost\r\n");
    assert_eq!(server.raw(&two).await.0, 400);
    let none = "GET /ready HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(server.raw(none).await.0, 400);
}

#[tokio::test]
async fn an_old_probe_without_host_is_answered() {
    let server = Server::start().await;
    assert_eq!(server.raw("GET /ready HTTP/1.0\r\n\r\n").await.0, 200);
}

#[tokio::test]
async fn an_absolute_target_is_checked_like_a_host() {
    let server = Server::start().await;
    let ask = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    };
    assert_eq!(server.raw(&ask("http://localhost/ready")).await.0, 200);
    assert_eq!(server.raw(&ask("http://evil.example/ready")).await.0, 403);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let server = Server::start().await;
    for (origin, status) in [
        ("http://localhost:15000", 200),
        ("https://localhost:15000", 200),
        ("http://localhost:3000", 403),
        ("http://evil.example", 403),
        ("null", 403),
    ] {
        let field = format!("Origin: {origin}\r\n");
        let (got, _) = server.raw(&head("localhost:15000", &field)).await;
        assert_eq!(got, status, "{origin}");
    }
}

#[tokio::test]
async fn answers_are_kept_by_nobody() {
    let server = Server::start().await;
    let (_, response) = server.ask("GET", "/", "").await;
    assert!(response.contains("cache-control: no-store"));
    assert!(response.contains("x-content-type-options: nosniff"));
    assert!(response.contains("default-src 'none'"));
}

#[tokio::test]
async fn a_large_head_is_refused() {
    let server = Server::start().await;
    let field = format!("X-Large: {}\r\n", "x".repeat(20_000));
    let (status, _) = server.raw(&head("localhost", &field)).await;
    assert_eq!(status, 431);
}

/// Waits for the server's own bound. With tokio's test clock the wait would be none, but whatever is
/// built beside tests, benches among it, would then pay for that clock at each reading.
#[tokio::test]
async fn who_says_nothing_more_is_sent_away() {
    let server = Server::start().await;
    let asked = "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut streams = Vec::new();
    for begun in ["", "GET /ready HTTP/1.1\r\nHost: loc", asked] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        streams.push((begun, stream));
    }
    for (begun, mut stream) in streams {
        let mut rest = String::new();
        let ended = timeout(Duration::from_secs(30), stream.read_to_string(&mut rest)).await;
        assert!(ended.is_ok(), "after {begun:?}");
        assert_eq!(
            rest.starts_with("HTTP/1.1 200"),
            begun == asked,
            "after {begun:?}"
        );
    }
}

#[tokio::test]
async fn connections_are_bounded_and_late_ones_wait() {
    let server = Server::start().await;
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let ask = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'H');
        held.push(stream);
    }
    let late = server.get("/livez");
    let mut late = std::pin::pin!(late);
    // Served is only who was accepted: the late one is not before another ends.
    let early = timeout(Duration::from_millis(50), late.as_mut()).await;
    assert!(early.is_err());
    drop(held);
    assert_eq!(late.await.0, 200);
}

#[tokio::test]
async fn shutdown_ends_idle_connections_and_the_port() {
    let server = Server::start().await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    let ask = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    idle.write_all(ask).await.unwrap();
    assert_eq!(idle.read_u8().await.unwrap(), b'H');
    server.stop.send(()).unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
