//! What hooks are told of a connection.

use std::net::SocketAddr;

use crate::proxy::connection::Downstream;
use crate::remote::desk::Facts;

/// An address as hooks read it; empty where there is none, as of a unix socket.
pub fn address(address: Option<SocketAddr>) -> String {
    address.map(|it| it.to_string()).unwrap_or_default()
}

/// What is known of a connection, before or beside its requests.
pub fn facts_of(conn: &Downstream) -> Facts {
    Facts {
        scheme: if conn.is_tls() { "https" } else { "http" },
        source: address(conn.peer),
        identity: conn.identity.as_ref().map(|it| it.name().to_owned()),
        listener: conn.listener.current().listener.name.to_string(),
        server_name: conn.sni.as_deref().map(str::to_owned),
        ..Facts::default()
    }
}
