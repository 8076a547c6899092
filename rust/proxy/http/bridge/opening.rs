//! The beginning of an attempt: a connection, and the request's head on it.

use std::cell::OnceCell;

use super::exchange::Exchange;
use super::server::{self, Announced, Opened};
use super::upload::Upload;
use crate::error::{Error, ErrorKind};
use crate::pool::{InFlight, Tried};
use crate::protocol::http1::RequestMethod;
use crate::proxy::connection::Downstream;
use crate::proxy::link::{self, Link};
use crate::proxy::upstream::Ask;
use crate::runtime::clock;

/// Where an attempt's connection stands while it lasts.
pub(super) type Place = OnceCell<(InFlight, Link)>;

/// An attempt that has begun.
pub(super) struct Begun<'p> {
    pub(super) link: &'p Link,
    pub(super) upload: Upload,
    pub(super) opened: Opened<'p>,
}

impl Exchange<'_> {
    /// No endpoint was tried.
    pub(super) fn untried(&self) -> Tried {
        Tried::aiming(self.plan.aim.clone())
    }

    /// Finds what carries an attempt, and begins it there.
    pub(super) async fn open<'p>(
        &self,
        conn: &'p Downstream,
        place: &'p Place,
        tried: &mut Tried,
        (reuse, alone): (bool, bool),
    ) -> Result<Begun<'p>, Error> {
        let found = self.obtain(conn, tried, reuse).await?;
        let (flight, link) = place.get_or_init(|| found);
        self.record.borrow_mut().chose_endpoint(flight);
        let held = self.asks_for_tunnel(link);
        let mut upload = Upload::new(self.plan.body_limit, held);
        let ends = self.plan.framing.is_empty() && !held && alone;
        let announced = Announced {
            framing: self.plan.sent_as(),
            ends,
            time_left: self.activity.time_left().filter(|_| self.plan.facts.grpc),
        };
        let buffers = &conn.worker().buffers;
        let opened = server::open(link, buffers, &self.plan.heads, announced).await?;
        if ends && matches!(link, Link::Http2(_)) {
            upload.complete();
            self.activity.uploaded.set(true);
        }
        Ok(Begun {
            link,
            upload,
            opened,
        })
    }

    async fn obtain(
        &self,
        conn: &Downstream,
        tried: &mut Tried,
        reuse: bool,
    ) -> Result<(InFlight, Link), Error> {
        let proxied = self.wants_proxy_header();
        let ask = Ask {
            reuse: reuse && !self.is_tunnel() && !proxied,
            client: conn.peer,
            local: if proxied {
                conn.io.socket().local_addr()
            } else {
                None
            },
        };
        let (worker, cluster) = (conn.worker(), &self.plan.cluster);
        let found = link::obtain_link(worker, cluster, tried, (ask, self.plan.speaks));
        match found.await {
            // All have been tried: again from the first.
            Err(error) if error.kind == ErrorKind::NoEndpoint && !tried.is_empty() => {
                *tried = self.untried();
                let asked = (ask, self.plan.speaks);
                Box::pin(link::obtain_link(worker, cluster, tried, asked)).await
            }
            found => found,
        }
    }

    pub(super) fn wants_proxy_header(&self) -> bool {
        self.plan.cluster.cluster.wire.proxy_protocol.is_some()
    }

    /// Whether bytes of another protocol may follow the heads.
    pub(super) fn is_tunnel(&self) -> bool {
        self.plan.facts.upgrade || self.is_connect()
    }

    /// Whether the request that `link` carries asks for a tunnel. In HTTP/2 CONNECT alone does: an
    /// upgrade that has no form there is left out, and the request is one like any other.
    pub(crate) fn asks_for_tunnel(&self, link: &Link) -> bool {
        match link {
            Link::Http1(_) => self.is_tunnel(),
            Link::Http2(_) => {
                let sent = self.plan.heads.http2();
                sent.is_some_and(|request| request.method() == http::Method::CONNECT)
            }
        }
    }

    pub(super) fn is_connect(&self) -> bool {
        matches!(self.plan.facts.method, RequestMethod::Connect)
    }

    pub(super) fn give_back(&self, place: Place, reusable: bool) {
        if let Some((flight, Link::Http1(upstream))) = place.into_inner()
            && reusable
            && !self.wants_proxy_header()
        {
            let bounds = &self.plan.cluster.cluster.wire;
            flight.run().checkin(*upstream, bounds, clock::now());
        }
    }
}
