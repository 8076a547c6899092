//! The second half of an exchange: an answer's body goes to the client, and what the client still
//! sends to the upstream.

use std::future::poll_fn;
use std::task::Poll;

use super::answer::{self, Final};
use super::client::Client;
use super::course::Course;
use super::exchange::{Ended, Exchange};
use super::pump::Pump;
use super::server::{Arrived, Opened};
use super::sink::{Coding, Sink};
use super::source::{Http1Source, Source};
use super::upload::Upload;
use crate::error::{Error, ErrorKind};
use crate::pool::Upstream;
use crate::proxy::flow::Body;
use crate::proxy::http::hooks::Hooked;
use crate::proxy::link::Link;

impl Exchange<'_> {
    /// Passes an answer's body on, and what the client still sends.
    pub(super) async fn download(
        &self,
        (client, link): (&mut Client<'_>, &Link),
        (upload, course): (&mut Upload, &mut Course<'_, '_>),
        opened: &mut Opened<'_>,
        (ended, arrived): (Final, Arrived),
    ) -> Result<bool, Error> {
        self.activity.started.set(true);
        let keeps = ended.keep_upstream;
        if ended.tunnel {
            self.activity.lift_deadline();
            upload.release(&mut course.body);
            opened.sink.become_tunnel();
        }
        let tunnel = ended.tunnel;
        let mut source = opened.answer.source(ended.body, arrived);
        if self.plan.hooked.bodies_or_answer && ended.announces {
            source = Hooked::of_answer(source, (client.conn, self.record));
        }
        let rests = (!tunnel).then_some(link);
        let copied = self
            .copy(
                client,
                (upload, course, &mut opened.sink),
                &mut source,
                rests,
            )
            .await;
        if copied.is_err() && keeps_connection(&opened.sink) {
            opened.sink.cut(h2::Reason::CANCEL);
        }
        copied?;
        let surplus = source.finish().is_some();
        Ok(keeps && upload.is_done() && !surplus)
    }

    /// A tunnel whose far end gets bytes, not a head.
    pub(super) async fn connect(
        &self,
        client: &mut Client<'_>,
        upstream: &Upstream,
        (upload, course): (&mut Upload, &mut Course<'_, '_>),
    ) -> Result<Ended, Error> {
        self.record.borrow_mut().answered(200);
        client.connected()?;
        self.activity.started.set(true);
        self.activity.lift_deadline();
        upload.release(&mut course.body);
        let buffers = &client.conn.worker().buffers;
        let mut sink = Sink::http1(&upstream.io, Vec::new(), Coding::Tunnel);
        let body = Http1Source::new(&upstream.io, buffers, Body::UntilEnd, None);
        let mut source = Source::Http1(body);
        self.copy(client, (upload, course, &mut sink), &mut source, None)
            .await?;
        let reusable = false;
        Ok(Ended::Complete { reusable })
    }

    /// Copies both ways until the answer is through; in a tunnel, which doesn't rest before its end,
    /// until both ways are.
    async fn copy(
        &self,
        client: &mut Client<'_>,
        (upload, course, to_upstream): (&mut Upload, &mut Course<'_, '_>, &mut Sink<'_>),
        source: &mut Source<'_>,
        rests: Option<&Link>,
    ) -> Result<(), Error> {
        let conn = client.conn;
        let Some((sink, mut watch)) = client.answering() else {
            return Ok(());
        };
        let tunnel = rests.is_none();
        let mut download = Pump::down(rests);
        let mut downloaded = false;
        let copied: Result<(), Error> = poll_fn(|cx| {
            // An early response doesn't stop a body that the upstream still takes.
            upload.poll(cx, (&mut course.body, to_upstream), self.activity)?;
            course.mirror();
            if let Some(watch) = &mut watch
                && self.activity.uploaded.get()
                && !tunnel
            {
                watch.poll(cx, conn, true)?;
            }
            if !downloaded {
                let waits = (&self.activity.movement, &self.activity.downward);
                let polled = download.poll(cx, (source, sink), waits);
                self.activity.sent.set(download.moved());
                let failed = |broken| answer::download_failed(&broken);
                downloaded = polled.map_err(failed)?.is_ready();
            }
            if downloaded && (!tunnel || upload.is_over()) {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await;
        // Trailers within a message end no call of gRPC-Web: its client can't be given them.
        let unfit = matches!(&copied, Err(error) if error.kind == ErrorKind::UpstreamProtocol);
        if let Some(status) = download.grpc_status.filter(|_| !unfit) {
            self.record.borrow_mut().grpc_status = Some(status);
        }
        copied
    }
}

/// A stream that failed is reset; a connection is closed by whoever owns it.
fn keeps_connection(sink: &Sink<'_>) -> bool {
    matches!(sink, Sink::Http2(_))
}
