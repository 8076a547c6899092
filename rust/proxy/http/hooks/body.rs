//! A body on its way past the filters that want to see it.

use std::cell::RefCell;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::call::{Came, call, failed};
use super::run::Run;
use super::seen::Seen;
use crate::abi::Phase;
use crate::error::ErrorKind;
use crate::policy::hook::{Kind, Use};
use crate::proxy::connection::Downstream;
use crate::proxy::http::admit::Plan;
use crate::proxy::http::bridge::{Broken, Piece, Pieces, Source};
use crate::proxy::http::record::Record;
use crate::proxy::http::reply::Reply;

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
    /// A request's body. Where none was announced, or a tunnel's bytes follow, no filter sees any: what it
    /// put there would be read as something else.
    pub(in crate::proxy::http) fn of_request(
        inner: Source<'a>,
        plan: &Plan,
        of: (&'a Downstream, &'a RefCell<Record>),
    ) -> Source<'a> {
        if plan.framing.is_empty() || !plan.hooked.bodies_or_answer {
            return inner;
        }
        Self::wrap(inner, of, Phase::RequestBody)
    }

    /// An answer's body, which follows a head that has announced one.
    pub(in crate::proxy::http) fn of_answer(
        inner: Source<'a>,
        of: (&'a Downstream, &'a RefCell<Record>),
    ) -> Source<'a> {
        Self::wrap(inner, of, Phase::ResponseBody)
    }

    /// `inner` as the filters leave it; the same where none wants to see it.
    fn wrap(
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
            let piece = match ready!(self.inner.poll_piece(cx))? {
                Piece::Data(bytes, last) => Piece::Data(self.pass(bytes, last)?, last),
                end => self.end(end)?,
            };
            if !matches!(&piece, Piece::Data(bytes, false) if bytes.is_empty()) {
                return Poll::Ready(Ok(piece));
            }
        }
    }

    /// What filters kept back comes before the end.
    fn end(&mut self, end: Piece) -> Result<Piece, Broken> {
        let bytes = self.pass(Bytes::new(), true)?;
        if bytes.is_empty() {
            return Ok(end);
        }
        self.after = Some(end);
        Ok(Piece::Data(bytes, false))
    }

    /// A piece as the filters leave it.
    fn pass(&mut self, mut bytes: Bytes, last: bool) -> Result<Bytes, Broken> {
        let mut record = self.record.borrow_mut();
        let mut run = record.hooks.take();
        let mut passed = Ok(());
        for one in &self.uses {
            match self.show(one, (&bytes, last), &record, &mut run) {
                Ok(Some(other)) => bytes = other.into(),
                Ok(None) => {}
                Err(reply) => {
                    run.get_or_insert_default().instead = Some(reply);
                    passed = Err(Broken::Hook);
                    break;
                }
            }
        }
        record.hooks = run;
        passed.map(|()| bytes)
    }

    /// Shows a filter a piece; what it becomes, where that changes.
    fn show(
        &self,
        one: &Use,
        piece: (&[u8], bool),
        record: &Record,
        run: &mut Option<Box<Run>>,
    ) -> Result<Option<Vec<u8>>, Reply> {
        let Kind::Native(instance) = &one.hook.kind else {
            return Ok(None);
        };
        let worker = self.conn.worker();
        let mut seen = Seen {
            conn: Some(self.conn),
            names: record.names(),
            status: record.status,
            piece: Some(piece),
            edits_bodies: instance.edits(self.phase),
            ..Seen::new(self.phase, &one.hook, run)
        };
        let came = call(worker, instance, &mut seen);
        let replaced = seen.replaced.take();
        let stats = &worker.hooks.of(worker, &one.hook).stats;
        match came {
            Came::On => Ok(replaced),
            Came::Answer(reply) => {
                stats.answered_total.increment();
                Err(reply)
            }
            Came::Later(_) | Came::Failed => {
                stats.failures_total.increment();
                // Allowed, it goes on as it came.
                failed(stats, one, ErrorKind::HookFailed).map_or(Ok(None), Err)
            }
        }
    }
}
