//! The way to an endpoint that is checked: a connection, kept from one check to the next.

use std::borrow::Cow;
use std::sync::Arc;

use super::Around;
use super::probe::Failure;
use super::subject::Target;
use super::{http1, http2, tcp};
use crate::error::{Error, ErrorKind};
use crate::net::Address;
use crate::pool::http2::Connections;
use crate::pool::{Destination, establish};
use crate::snapshot::Cluster;
use crate::tls::io::Io;
use crate::wire::HealthCheck;
use crate::wire::cluster::Protocol;
use crate::wire::health_check::HttpCheck;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// HTTP/1.1, or bytes.
    Http1,
    /// HTTP/2.
    Http2,
    /// What the endpoint chooses by ALPN.
    Either,
}

/// A connection that is kept, if there is one.
#[derive(Default)]
pub(super) struct Line {
    /// What it was made for: others of other settings must not ask over it.
    made_for: Option<Arc<Cluster>>,
    http1: Option<Io>,
    http2: Connections,
    /// An endpoint that may choose has chosen HTTP/2.
    has_http2: bool,
}

/// What came back.
pub(super) struct Answer {
    /// What it says of the endpoint.
    pub(super) verdict: Result<(), Failure>,
    /// Whether the connection can be asked again.
    pub(super) reusable: bool,
}

impl Line {
    /// Asks once. Where that is given up before its end, the line has to be closed.
    pub(super) async fn ask(
        &mut self,
        around: &Around,
        target: &Target,
        check: &HealthCheck,
    ) -> Result<(), Failure> {
        let made_for = self.made_for.replace(Arc::clone(&target.cluster));
        if made_for.is_some_and(|before| !Arc::ptr_eq(&before, &target.cluster)) {
            self.close();
        }
        if let Some(grpc) = &check.grpc {
            let question = http2::Question::grpc(target, check, grpc)?;
            return self.ask_http2(around, target, check, question).await;
        }
        if let Some(http) = &check.http {
            return self.ask_http(around, target, check, http).await;
        }
        tcp::ask(target, check).await
    }

    async fn ask_http(
        &mut self,
        around: &Around,
        target: &Target,
        check: &HealthCheck,
        http: &HttpCheck,
    ) -> Result<(), Failure> {
        let spoken = Spoken::by(&target.cluster);
        if spoken == Spoken::Http2 || self.has_http2 {
            let question = http2::Question::http(target, check, http)?;
            return self.ask_http2(around, target, check, question).await;
        }
        let question = http1::Question::new(target, check, http);
        // An endpoint may close what rests; that says nothing about it, a new connection does.
        if let Some(io) = self.http1.take()
            && let Ok(answer) = question.ask(&io).await
        {
            return self.keep(answer, io);
        }
        let io = connect(target, check, spoken).await?;
        if chose_http2(&io) {
            let stream = http2::begin(&self.http2, io, around, target).await?;
            self.has_http2 = true;
            let question = http2::Question::http(target, check, http)?;
            return question.ask(&stream).await?.verdict;
        }
        let answer = question.ask(&io).await?;
        self.keep(answer, io)
    }

    async fn ask_http2(
        &mut self,
        around: &Around,
        target: &Target,
        check: &HealthCheck,
        question: http2::Question<'_>,
    ) -> Result<(), Failure> {
        let stream = http2::stream(&self.http2, around, target, check).await?;
        let mut answered = question.clone().ask(&stream).await;
        if answered.is_err() && stream.reused {
            self.close();
            let stream = http2::stream(&self.http2, around, target, check).await?;
            answered = question.ask(&stream).await;
        }
        if !answered.as_ref().is_ok_and(|answer| answer.reusable) {
            self.close();
        }
        answered?.verdict
    }

    fn keep(&mut self, answer: Answer, io: Io) -> Result<(), Failure> {
        if answer.reusable {
            self.http1 = Some(io);
        }
        answer.verdict
    }

    /// The next check makes a new connection.
    pub(super) fn close(&mut self) {
        self.http1 = None;
        self.http2 = Connections::default();
        self.has_http2 = false;
    }
}

impl Spoken {
    /// As for a request of a client with HTTP/1.1.
    fn by(cluster: &Cluster) -> Self {
        match cluster.wire.protocol {
            Protocol::Http2 => Self::Http2,
            Protocol::Auto if cluster.tls.is_some() => Self::Either,
            Protocol::Http1 | Protocol::Same | Protocol::Auto => Self::Http1,
        }
    }
}

/// Connects as requests do, perhaps to another port. The caller bounds its time.
pub(super) async fn connect(
    target: &Target,
    check: &HealthCheck,
    spoken: Spoken,
) -> Result<Io, Failure> {
    let address = address(target, check);
    let tls = match spoken {
        Spoken::Http1 => &target.cluster.tls,
        Spoken::Http2 | Spoken::Either => &target.cluster.tls_h2,
    };
    let to = Destination {
        address: &address,
        host: target.endpoint.host.as_deref(),
        tls: tls.as_ref(),
        only_h2: spoken == Spoken::Http2,
    };
    establish(&target.cluster, to, (None, None))
        .await
        .map_err(|error| words(&error))
}

fn chose_http2(io: &Io) -> bool {
    matches!(io, Io::Tls(stream) if stream.alpn() == Some(b"h2"))
}

fn words(error: &Error) -> Failure {
    let what = match error.kind {
        ErrorKind::UpstreamTls => "the TLS handshake failed",
        ErrorKind::UpstreamProtocol => "it doesn't speak the protocol",
        _ => "no connection",
    };
    match std::error::Error::source(error) {
        Some(source) => format!("{what}: {source}"),
        None => what.to_owned(),
    }
}

fn address<'t>(target: &'t Target, check: &HealthCheck) -> Cow<'t, Address> {
    match (&target.endpoint.address, check.port) {
        (Address::Ip(ip), Some(port)) => {
            let mut ip = *ip;
            ip.set_port(port);
            Cow::Owned(Address::Ip(ip))
        }
        (address, _) => Cow::Borrowed(address),
    }
}

/// The authority of a question: what is written, or the endpoint's own name with the port.
pub(super) fn authority(target: &Target, check: &HealthCheck, written: Option<&str>) -> String {
    if let Some(written) = written {
        return written.to_owned();
    }
    match (&*address(target, check), &target.endpoint.host) {
        (Address::Ip(ip), Some(host)) => format!("{host}:{}", ip.port()),
        (Address::Ip(ip), None) => ip.to_string(),
        (Address::Unix(_), _) => "localhost".to_owned(),
    }
}

/// What a question has beside its method, path and authority.
pub(super) fn fields(http: &HttpCheck) -> impl Iterator<Item = (&str, &str)> {
    let own = !http.headers.contains_key("user-agent");
    let written = http.headers.iter();
    let agent = own.then_some(("user-agent", "meshcore-health-check"));
    agent
        .into_iter()
        .chain(written.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// What an answer's status says.
pub(super) fn verdict(http: &HttpCheck, status: u16) -> Result<(), Failure> {
    let mut expected = http.expected_statuses.iter();
    if expected.any(|one| (one.low..=one.high).contains(&status)) {
        return Ok(());
    }
    Err(format!("status {status}"))
}
