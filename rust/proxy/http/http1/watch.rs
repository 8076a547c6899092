//! Watching a client that has sent its request and only listens.

use std::task::Context;

use crate::error::{Error, ErrorKind};
use crate::net::Socket;
use crate::net::socket::Peek;

/// Notices that a client reset its connection, so that nobody works for it any more. A client that
/// only ended its sending direction still wants the answer.
#[derive(Default)]
pub(in crate::proxy::http) struct ClientWatch {
    /// Something else than a reset came: what it is will be read in its turn.
    over: bool,
}

impl ClientWatch {
    /// Looks below TLS, where a reset shows as it does without.
    pub(in crate::proxy::http) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &Socket,
    ) -> Result<(), Error> {
        while !self.over && socket.poll_readable(cx).is_ready() {
            match socket.peek() {
                Peek::Nothing => {}
                Peek::Failed(_) => return Err(ErrorKind::DownstreamClosed.into()),
                Peek::End | Peek::Bytes => self.over = true,
            }
        }
        Ok(())
    }
}
