use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::*;
use crate::tls::accept::ServerTls;
use crate::tls::fixtures::{Authority, client, client_wire, credentials, server, server_wire};

/// A body that fits neither one record nor the buffers.
const BIG: usize = 3 << 20;

/// Two ends of one loopback connection.
fn sockets() -> (Socket, Socket) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let socket = |stream: TcpStream| {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        Socket::new(stream.into()).unwrap()
    };
    (socket(near), socket(far))
}

fn compiled() -> (ClientTls, ServerTls) {
    let ca = Authority::new();
    let (issued, peer) = (ca.issue(&["a.test"]), ca.issue_uris(&["spiffe://a/x"]));
    let store = credentials(&ca, &[("server", &issued), ("peer", &peer)]);
    let theirs = crate::wire::cluster::Tls {
        certificate: Some("peer".to_owned()),
        alpn: vec!["http/1.1".to_owned()],
        ..client_wire()
    };
    let ours = crate::wire::listener::Tls {
        client_ca: Some("ca".to_owned()),
        ..server_wire(&["server"])
    };
    (client(&theirs, &store), server(&ours, &store))
}

async fn pair() -> (TlsStream, TlsStream) {
    let (client, server) = compiled();
    let (near, far) = sockets();
    let (near, far) = tokio::join!(
        TlsStream::connect(near, &client, "a.test".try_into().unwrap()),
        TlsStream::accept(far, server.config, &[]),
    );
    (near.unwrap(), far.unwrap())
}

async fn read(stream: &TlsStream, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buf)).await
}

async fn write_all(stream: &TlsStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let n = poll_fn(|cx| stream.poll_write(cx, &[IoSlice::new(bytes)]))
            .await
            .unwrap();
        assert!(n > 0, "a write that takes nothing spins");
        bytes = &bytes[n..];
    }
    poll_fn(|cx| stream.poll_flush(cx)).await.unwrap();
}

async fn shutdown(stream: &TlsStream) {
    poll_fn(|cx| stream.poll_shutdown(cx)).await.unwrap();
}

async fn read_to_end(stream: &TlsStream, step: usize) -> io::Result<Vec<u8>> {
    let (mut all, mut buf) = (Vec::new(), vec![0; step]);
    loop {
        match read(stream, &mut buf).await? {
            0 => return Ok(all),
            n => all.extend_from_slice(&buf[..n]),
        }
    }
}

fn big() -> Vec<u8> {
    (0..BIG).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

#[tokio::test]
async fn a_handshake_tells_both_sides_what_they_need() {
    let (near, far) = pair().await;
    assert_eq!(far.identity().map(Identity::name), Some("spiffe://a/x"));
    assert_eq!(near.identity().map(Identity::name), Some("a.test"));
    assert_eq!(
        (near.alpn(), far.alpn()),
        (Some(&b"http/1.1"[..]), Some(&b"http/1.1"[..]))
    );
    assert_eq!((near.sni(), far.sni()), (None, Some("a.test")));
    assert!(!near.resumed() && !far.resumed());
}

#[tokio::test]
async fn both_directions_carry_at_once_through_one_shared_reference() {
    let (near, far) = pair().await;
    let body = big();
    let send = async |stream: &TlsStream| {
        write_all(stream, &body).await;
        shutdown(stream).await;
    };
    let ((), (), at_far, at_near) = tokio::join!(
        send(&near),
        send(&far),
        read_to_end(&far, 64 * 1024),
        read_to_end(&near, 1000),
    );
    assert!(at_far.unwrap() == body && at_near.unwrap() == body);
}

#[tokio::test]
async fn a_half_close_leaves_the_other_half_open() {
    let (near, far) = pair().await;
    write_all(&near, b"question").await;
    shutdown(&near).await;
    assert_eq!(read_to_end(&far, 100).await.unwrap(), b"question");
    assert_eq!(
        read(&far, &mut [0; 10]).await.unwrap(),
        0,
        "the end stays the end"
    );
    write_all(&far, b"answer").await;
    shutdown(&far).await;
    shutdown(&far).await;
    assert_eq!(read_to_end(&near, 100).await.unwrap(), b"answer");
}

#[tokio::test]
async fn an_end_without_close_notify_is_a_truncation() {
    let (near, far) = pair().await;
    write_all(&near, b"half a mess").await;
    near.socket().shutdown_write().unwrap();
    let mut buf = [0; 100];
    assert_eq!(read(&far, &mut buf).await.unwrap(), 11);
    for _ in 0..2 {
        let error = read(&far, &mut buf).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn several_buffers_are_one_write() {
    let (near, far) = pair().await;
    let bufs = [&b"head "[..], b"", b"body"].map(IoSlice::new);
    assert_eq!(poll_fn(|cx| near.poll_write(cx, &bufs)).await.unwrap(), 9);
    assert_eq!(poll_fn(|cx| near.poll_write(cx, &[])).await.unwrap(), 0);
    let mut buf = [0; 100];
    assert_eq!(read(&far, &mut buf).await.unwrap(), 9);
    assert_eq!(&buf[..9], b"head body");
}

#[tokio::test]
async fn a_slow_reader_stops_the_writer() {
    let (near, far) = pair().await;
    let body = big();
    let mut taken = 0;
    let full = poll_fn(|cx| {
        while let Poll::Ready(n) = near.poll_write(cx, &[IoSlice::new(&body)]) {
            taken += n?;
            assert!(taken < 64 * BIG, "nothing stops the writer");
        }
        Poll::Ready(io::Result::Ok(()))
    });
    full.await.unwrap();
    let mut expected = vec![0; taken];
    for chunk in expected.chunks_mut(BIG) {
        let n = chunk.len();
        chunk.copy_from_slice(&body[..n]);
    }
    let finish = async {
        poll_fn(|cx| near.poll_flush(cx)).await.unwrap();
        shutdown(&near).await;
    };
    let ((), read) = tokio::join!(finish, read_to_end(&far, 16 * 1024));
    assert_eq!(read.unwrap().len(), taken);
}

#[tokio::test]
async fn what_was_sniffed_is_part_of_the_handshake() {
    let (client, server) = compiled();
    let (near, far) = sockets();
    let accept = async {
        let mut sniffed = Vec::new();
        while !matches!(
            crate::tls::hello::sniff(&sniffed),
            crate::tls::hello::Sniffed::Hello(_)
        ) {
            let mut byte = [0; 1];
            let n = poll_fn(|cx| far.poll_read(cx, &mut byte)).await.unwrap();
            sniffed.extend(&byte[..n]);
        }
        TlsStream::accept(far, server.config, &sniffed).await
    };
    let connect = TlsStream::connect(near, &client, "a.test".try_into().unwrap());
    let (near, far) = tokio::join!(connect, accept);
    write_all(&near.unwrap(), b"x").await;
    assert_eq!(read(&far.unwrap(), &mut [0; 10]).await.unwrap(), 1);
}

#[tokio::test]
async fn plain_bytes_in_place_of_a_handshake_are_an_error() {
    let (client, server) = compiled();
    for hello in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b""] {
        let (near, far) = sockets();
        poll_fn(|cx| far.poll_write(cx, hello)).await.unwrap();
        far.shutdown_write().unwrap();
        let connected = TlsStream::connect(near, &client, "a.test".try_into().unwrap()).await;
        assert!(connected.is_err());
        let (near, far) = sockets();
        poll_fn(|cx| near.poll_write(cx, hello)).await.unwrap();
        near.shutdown_write().unwrap();
        let accepted = TlsStream::accept(far, Arc::clone(&server.config), &[]).await;
        assert!(accepted.is_err());
    }
}

#[tokio::test]
async fn a_wrong_name_ends_both_sides() {
    let (client, server) = compiled();
    let (near, far) = sockets();
    let (near, far) = tokio::join!(
        TlsStream::connect(near, &client, "b.test".try_into().unwrap()),
        TlsStream::accept(far, server.config, &[]),
    );
    assert!(near.is_err() && far.is_err());
}

#[tokio::test]
async fn a_spoiled_record_is_an_error_and_not_data() {
    let (near, far) = pair().await;
    write_all(&near, b"good").await;
    let mut buf = [0; 10];
    assert_eq!(read(&far, &mut buf).await.unwrap(), 4);
    let spoiled = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
    poll_fn(|cx| near.socket().poll_write(cx, &spoiled))
        .await
        .unwrap();
    assert_eq!(
        read(&far, &mut buf).await.unwrap_err().kind(),
        io::ErrorKind::InvalidData
    );
    assert!(read(&far, &mut buf).await.is_err());
    assert!(read(&near, &mut buf).await.is_err(), "the alert arrives");
}

#[tokio::test]
async fn readable_means_that_a_read_has_news() {
    let (near, far) = pair().await;
    let readable = |cx: &mut Context<'_>| Poll::Ready(far.poll_readable(cx).is_ready());
    assert!(!poll_fn(readable).await, "nothing was sent");
    write_all(&near, b"two").await;
    poll_fn(|cx| far.poll_readable(cx)).await.unwrap();
    let mut byte = [0; 1];
    for _ in 0..3 {
        assert!(poll_fn(readable).await, "the rest is decrypted already");
        assert_eq!(read(&far, &mut byte).await.unwrap(), 1);
    }
    assert!(poll_fn(|cx| Poll::Ready(far.poll_read(cx, &mut byte).is_pending())).await);
    assert!(!poll_fn(readable).await, "all was read");
    shutdown(&near).await;
    assert_eq!(read(&far, &mut byte).await.unwrap(), 0);
    assert!(poll_fn(readable).await, "the end stays to be read");
}
