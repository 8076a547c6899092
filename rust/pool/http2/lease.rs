//! A stream's place on a connection that requests share.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use h2::client::SendRequest;

use super::{Connection, Watch};

/// A place for one stream; dropping it frees the place.
#[derive(Debug)]
pub struct StreamLease {
    connection: Rc<Connection>,
    /// Whether the connection carried a request before this one.
    pub reused: bool,
    /// The place is free already.
    over: Cell<bool>,
}

impl StreamLease {
    /// The first stream of a new connection.
    pub(super) fn first(connection: &Rc<Connection>) -> Self {
        Self {
            reused: connection.begin(),
            connection: Rc::clone(connection),
            over: Cell::new(false),
        }
    }

    /// A stream more; none where a connection at rest has lost its place to another.
    pub(super) fn next(connection: &Rc<Connection>) -> Option<Self> {
        connection.resume().then(|| Self::first(connection))
    }

    /// The answer has been read: another stream may have the place from now on, and a connection
    /// without a stream is at rest.
    pub fn rest(&self) {
        if !self.over.replace(true) {
            self.connection.end();
        }
    }

    /// What begins the stream.
    pub fn requests(&self) -> SendRequest<Bytes> {
        self.connection.requests().clone()
    }

    /// What is known of its connection.
    pub fn watch(&self) -> Watch {
        self.connection.watch()
    }

    /// Whether the other side takes extended CONNECT (RFC 8441 §3), which its SETTINGS say.
    pub async fn takes_extended_connect(&self) -> bool {
        self.connection.settled().await;
        self.connection
            .requests()
            .is_extended_connect_protocol_enabled()
    }

    /// No other request is to begin on this connection: its other side is going away.
    pub fn retire(&self) {
        self.connection.retire();
    }
}

impl Drop for StreamLease {
    fn drop(&mut self) {
        self.rest();
    }
}
