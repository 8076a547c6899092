//! Reading a request's body before it goes anywhere, for a hook that sees it first.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use super::bridge::{Begun, Broken, Piece, Pieces, Source};
use super::hooks;
use super::record::Record;
use super::reply::Reply;
use crate::error::{Error, ErrorKind};
use crate::proxy::connection::Downstream;
use crate::runtime::clock;
use crate::runtime::timer::Timer;

/// How long the next piece of a body may take where the listener has no idle timeout for streams.
const PIECE_TIME: Duration = Duration::from_mins(1);

/// What came of it.
pub(super) enum Gathered<'a> {
    /// The hook can be asked, or needn't be.
    On(Source<'a>),
    /// The request is answered so.
    Refused(Reply, Source<'a>),
    /// The client has left.
    Left(Error),
}

/// Reads a body of at most `most` bytes and gives it to the hook that the request waits for.
pub(super) async fn gather<'a>(
    conn: &Downstream,
    mut source: Source<'a>,
    most: usize,
    record: &mut Record,
) -> Gathered<'a> {
    let idle = conn.listener.current().listener.stream_idle_timeout;
    let timer = Timer::default();
    let (mut bytes, mut read) = (Vec::new(), VecDeque::new());
    loop {
        let deadline = Some(clock::now() + idle.unwrap_or(PIECE_TIME));
        let piece = timer.until(deadline, poll_fn(|cx| source.poll_piece(cx)));
        let piece = match piece.await {
            Ok(Ok(piece)) => piece,
            Ok(Err(Broken::Framing)) => {
                return Gathered::Refused(ErrorKind::BadRequest.into(), source);
            }
            Ok(Err(_)) => return Gathered::Left(ErrorKind::DownstreamClosed.into()),
            Err(_) => return Gathered::Refused(ErrorKind::BodyTimeout.into(), source),
        };
        let mut ended = true;
        if let Piece::Data(data, last) = &piece {
            ended = *last;
            bytes.extend_from_slice(data);
        }
        read.push_back(piece);
        let long = bytes.len() > most;
        if !ended && !long {
            continue;
        }
        let source = Source::Begun(Box::new(Begun::new(read, source)));
        let Some(run) = &mut record.hooks else {
            return Gathered::On(source);
        };
        if !long {
            run.give_body(bytes);
            return Gathered::On(source);
        }
        return match hooks::too_long(conn.worker(), run) {
            Ok(()) => Gathered::On(source),
            Err(reply) => Gathered::Refused(reply, source),
        };
    }
}
