//! Making an upstream connection; the caller bounds its time.

use std::future::poll_fn;
use std::io;

use socket2::{Domain, Protocol, Type};

use super::{Address, Socket};

/// Connects to `address`.
///
/// # Errors
/// What `socket` and `connect` say.
pub async fn dial(address: &Address) -> io::Result<Socket> {
    let sock_addr = address.to_sock_addr()?;
    let (domain, protocol) = match address {
        Address::Ip(ip) => (Domain::for_address(*ip), Some(Protocol::TCP)),
        Address::Unix(_) => (Domain::UNIX, None),
    };
    let socket = socket2::Socket::new(domain, Type::STREAM.nonblocking().cloexec(), protocol)?;
    if protocol.is_some() {
        socket.set_tcp_nodelay(true)?;
    }
    let pending = match socket.connect(&sock_addr) {
        Ok(()) => false,
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => true,
        Err(error) => return Err(error),
    };
    let socket = Socket::new(socket)?;
    if pending {
        poll_fn(|cx| socket.poll_connected(cx)).await?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn run<F: Future<Output = ()>>(future: F) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future);
    }

    #[test]
    fn acknowledged_bytes_count_what_the_peer_took() {
        run(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let socket = dial(&Address::Ip(listener.local_addr().unwrap()))
                .await
                .unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            assert_eq!(socket.bytes_acked(), Some(0));
            poll_fn(|cx| socket.poll_write(cx, b"four")).await.unwrap();
            peer.read_exact(&mut [0; 4]).unwrap();
            peer.write_all(b"x").unwrap();
            poll_fn(|cx| socket.poll_read(cx, &mut [0; 8]))
                .await
                .unwrap();
            assert_eq!((socket.bytes_acked(), socket.written()), (Some(4), 4));
            assert_eq!(socket.unacknowledged(), Some(0));
        });
    }

    #[test]
    fn bytes_sent_to_a_closed_peer_stay_unacknowledged() {
        run(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let socket = dial(&Address::Ip(listener.local_addr().unwrap()))
                .await
                .unwrap();
            let (peer, _) = listener.accept().unwrap();
            drop(peer);
            poll_fn(|cx| socket.poll_write(cx, b"late")).await.unwrap();
            // The end came before the bytes; reading gives the end or the reset that followed.
            let end = poll_fn(|cx| socket.poll_read(cx, &mut [0; 8])).await;
            assert!(matches!(end, Ok(0) | Err(_)));
            assert_eq!((socket.bytes_acked(), socket.written()), (Some(0), 4));
        });
    }

    #[test]
    fn the_kernel_asks_a_silent_peer() {
        run(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = Address::Ip(listener.local_addr().unwrap());
            let socket = dial(&address).await.unwrap();
            let seconds = std::time::Duration::from_secs;
            let how = socket2::TcpKeepalive::new().with_time(seconds(60));
            let how = how.with_interval(seconds(5)).with_retries(3);
            assert!(!socket.shared().keepalive().unwrap());
            socket.keep_alive(&how).unwrap();
            let set = socket.shared();
            assert!(set.keepalive().unwrap());
            assert_eq!(set.tcp_keepalive_time().unwrap(), seconds(60));
            assert_eq!(set.tcp_keepalive_interval().unwrap(), seconds(5));
            assert_eq!(set.tcp_keepalive_retries().unwrap(), 3);
        });
    }

    #[test]
    fn a_refused_connect_is_an_error() {
        run(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            drop(listener);
            let error = dial(&Address::Ip(address)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        });
    }
}
