//! A body on its way past the filters that want to see it.

use std::cell::RefCell;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::call::{Came, call, failed};
use super::seen::Seen;
use crate::abi::Phase;
use crate::error::ErrorKind;
use crate::policy::hook::{Kind, Use};
use crate::proxy::connection::Downstream;
use crate::proxy::http::bridge::{Broken, Piece, Pieces, Source};
use crate::proxy::http::record::Record;

/// A body whose pieces filters see, and may change.
pub(in crate::proxy::http) struct Hooked<'a> {
    inner: Source<'a>,
    conn: &'a Downstream,
    record: &'a RefCell<Record>,
    phase: Phase,
    /// Those that want to see it, in their order.
    uses: Vec<Use>,
    /// What comes after a piece that a filter has added at the end.
    after: Option<Piece>,
}

impl<'a> Hooked<'a> {
    /// `inner` as the filters of the request leave it; the same where none wants to see it.
    pub(in crate::proxy::http) fn wrap(
        inner: Source<'a>,
        (conn, record): (&'a Downstream, &'a RefCell<Record>),
        phase: Phase,
    ) -> Source<'a> {
        let uses = record.borrow().uses_in(phase);
        if uses.is_empty() {
            return inner;
        }
        Source::Hooked(Box::new(Self {
            inner,
            conn,
            record,
            phase,
            uses,
            after: None,
        }))
    }

    /// Whether nothing follows the head, so that no filter has anything to see.
    pub(in crate::proxy::http) fn is_head_alone(&self) -> bool {
        match &self.inner {
            Source::Http2(source) => source.has_ended(),
            Source::Http1(_) | Source::Empty => true,
            _ => false,
        }
    }

    /// What it reads from.
    pub(in crate::proxy::http) fn inner_mut(&mut self) -> &mut Source<'a> {
        &mut self.inner
    }

    /// The body as it came.
    pub(in crate::proxy::http) fn into_inner(self) -> Source<'a> {
        self.inner
    }

    /// As [`Source::poll_piece`].
    pub(in crate::proxy::http) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Piece, Broken>> {
        loop {
            if let Some(piece) = self.after.take() {
                return Poll::Ready(Ok(piece));
            }
            match ready!(self.inner.poll_piece(cx))? {
                Piece::Data(bytes, last) => {
                    let bytes = self.pass(bytes, last)?;
                    if last || !bytes.is_empty() {
                        return Poll::Ready(Ok(Piece::Data(bytes, last)));
                    }
                }
                end => {
                    let bytes = self.pass(Bytes::new(), true)?;
                    if bytes.is_empty() {
                        return Poll::Ready(Ok(end));
                    }
                    self.after = Some(end);
                    return Poll::Ready(Ok(Piece::Data(bytes, false)));
                }
            }
        }
    }

    fn pass(&mut self, mut bytes: Bytes, last: bool) -> Result<Bytes, Broken> {
        let mut record = self.record.borrow_mut();
        let mut run = record.hooks.take().unwrap_or_default();
        let worker = self.conn.worker();
        let mut broken = false;
        for one in &self.uses {
            let Kind::Native(instance) = &one.hook.kind else {
                continue;
            };
            let mut seen = Seen {
                conn: Some(self.conn),
                names: record.names(),
                status: record.status,
                piece: Some((&bytes, last)),
                edits_bodies: instance.edits(self.phase),
                ..Seen::new(self.phase, &one.hook, &mut run)
            };
            let came = call(worker, instance, &mut seen);
            let replaced = seen.replaced.take();
            let stats = &worker.hooks.of(worker, &one.hook).stats;
            match came {
                Came::On => {}
                Came::Answer(reply) => {
                    stats.answered_total.increment();
                    run.instead = Some(reply);
                    broken = true;
                    break;
                }
                Came::Later(_) | Came::Failed => {
                    stats.failures_total.increment();
                    if let Some(reply) = failed(stats, one, ErrorKind::HookFailed) {
                        run.instead = Some(reply);
                        broken = true;
                        break;
                    }
                    // It goes on as if the filter had not been there.
                    continue;
                }
            }
            if let Some(replaced) = replaced {
                bytes = replaced.into();
            }
        }
        record.hooks = Some(run);
        if broken {
            return Err(Broken::Hook);
        }
        Ok(bytes)
    }
}
