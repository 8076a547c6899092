//! Changes of fields that routes ask for, and what the operators of their values stand for.

use super::aim::Session;
use super::record::{Record, Source};
use super::request::Request;
use crate::protocol::edits::FieldEdits;
use crate::protocol::head::{Field, values};
use crate::route::{
    Change, Fact, HeaderEdit, HeaderEdits, Operator, Route, TimeFormat, tell_of_request,
};
use crate::runtime::{clock, host};
use crate::telemetry::clock_text;

/// Appends what an operator stands for.
type Tell<'t> = &'t mut dyn FnMut(&Operator, &mut Vec<u8>);

/// What an answer's fields get, as far as it is known before there is an answer.
#[derive(Debug, Default)]
pub(super) struct Answering {
    edits: Vec<HeaderEdit>,
    /// After the others: what a browser is told is not for a route's edits to take back.
    cors: HeaderEdits,
    session: Option<Session>,
}

impl Answering {
    pub(super) fn new(cors: HeaderEdits) -> Self {
        Self {
            cors,
            ..Self::default()
        }
    }

    /// The client will carry the name of the endpoint that answers.
    pub(super) fn keep(&mut self, session: Session) {
        self.session = Some(session);
    }

    /// Sets fields that are known whole.
    pub(super) fn set(&mut self, fields: impl IntoIterator<Item = HeaderEdit>) {
        self.edits.extend(fields);
    }

    /// Adds changes; what `tell` knows of the request is put in.
    pub(super) fn add(&mut self, edits: &HeaderEdits, tell: Tell<'_>) {
        self.edits.extend(edits.iter().map(|edit| HeaderEdit {
            name: edit.name.clone(),
            change: match &edit.change {
                Change::Set(value) => Change::Set(value.settled(tell)),
                Change::Add(value) => Change::Add(value.settled(tell)),
                Change::Remove => Change::Remove,
            },
        }));
    }

    /// The changes of an answer with this status and these fields.
    pub(super) fn of_answer(
        &self,
        status: u16,
        fields: &[Field<'_>],
        record: &Record,
    ) -> FieldEdits {
        let mut tell = |operator: &Operator, out: &mut Vec<u8>| match operator {
            Operator::Response(wanted) => {
                wanted.put_first(|name| values(fields, name).next(), out);
            }
            Operator::Fact(Fact::Status) => number(status.into(), out),
            Operator::Fact(Fact::Cluster) => {
                out.extend_from_slice(record.cluster_name().as_bytes());
            }
            Operator::Fact(Fact::Endpoint) => out.extend_from_slice(record.endpoint().as_bytes()),
            Operator::Fact(Fact::Details) => out.extend_from_slice(record.details().as_bytes()),
            Operator::Fact(Fact::Flags) => out.extend_from_slice(record.flags().as_bytes()),
            _ => {}
        };
        let mut made = FieldEdits::default();
        make(&self.edits, &mut tell, &mut made);
        make(&self.cors, &mut tell, &mut made);
        if let Some(session) = &self.session
            && record.source == Source::Upstream
            && record.error.is_none()
            && session.named.as_deref() != Some(record.endpoint())
        {
            make(
                &[session.affinity.give(record.endpoint())],
                &mut tell,
                &mut made,
            );
        }
        made
    }
}

/// Makes changes of edits, in their order.
pub(super) fn make(edits: &[HeaderEdit], tell: Tell<'_>, fields: &mut FieldEdits) {
    for HeaderEdit { name, change } in edits {
        match change {
            Change::Set(value) => {
                if let Some(value) = value.render(tell) {
                    fields.set(name, value);
                }
            }
            Change::Add(value) => {
                if let Some(value) = value.render(tell) {
                    fields.add(name, value);
                }
            }
            Change::Remove => fields.remove(name),
        }
    }
}

/// Appends what an operator stands for as far as a request tells, on its way to `cluster`.
pub(super) fn tell(
    request: &Request<'_>,
    (route, cluster): (&Route, &str),
    record: &Record,
    operator: &Operator,
    out: &mut Vec<u8>,
) {
    let conn = request.conn;
    let text = |text: Option<&str>, out: &mut Vec<u8>| {
        out.extend_from_slice(text.unwrap_or_default().as_bytes());
    };
    let fact = match operator {
        Operator::Request(wanted)
            if given(request, wanted.names.first().map(|name| &**name), out) =>
        {
            return;
        }
        Operator::StartTime(format) => return time(start(record), *format, out),
        Operator::Fact(fact) => *fact,
        other => {
            tell_of_request(other, &request.view(), out);
            return;
        }
    };
    let local = || conn.io.socket().local_addr();
    let whole = |address: std::net::SocketAddr| address.to_string();
    let ip = |address: std::net::SocketAddr| address.ip().to_string();
    let port = |address: std::net::SocketAddr| address.port().to_string();
    match fact {
        Fact::RemoteAddress => text(conn.peer.map(whole).as_deref(), out),
        Fact::RemoteIp => text(Some(conn.peer_ip()), out),
        Fact::RemotePort => text(conn.peer.map(port).as_deref(), out),
        Fact::LocalAddress => text(local().map(whole).as_deref(), out),
        Fact::LocalIp => text(local().map(ip).as_deref(), out),
        Fact::LocalPort => text(local().map(port).as_deref(), out),
        Fact::Protocol => text(Some(request.facts.version.as_str()), out),
        Fact::Hostname => text(Some(host::name()), out),
        Fact::Identity => text(conn.identity.as_ref().map(|it| it.name()), out),
        Fact::ServerName => text(conn.sni.as_deref(), out),
        Fact::RouteName => text(Some(&route.name), out),
        Fact::Cluster => text(Some(cluster), out),
        Fact::Endpoint | Fact::Status | Fact::Details | Fact::Flags => {}
    }
}

/// Upstreams and logs see the request id that we gave; so does who asks for it by name.
fn given(request: &Request<'_>, name: Option<&str>, out: &mut Vec<u8>) -> bool {
    let id = request.id.as_ref();
    match id.filter(|_| name == Some("x-request-id")) {
        Some(id) => {
            out.extend_from_slice(id.as_bytes());
            true
        }
        None => false,
    }
}

/// Microseconds since 1970.
fn start(record: &Record) -> u64 {
    let took = clock::micros_between(record.begun, clock::now());
    clock::wall_micros().saturating_sub(took)
}

fn time(micros: u64, format: TimeFormat, out: &mut Vec<u8>) {
    match format {
        TimeFormat::Iso => clock_text::write(micros, out),
        TimeFormat::Seconds => number(micros / 1_000_000, out),
        TimeFormat::Milliseconds => number(micros / 1_000, out),
        TimeFormat::SecondsAndMilliseconds => {
            number(micros / 1_000_000, out);
            let millis = format!(".{:03}", micros / 1_000 % 1_000);
            out.extend_from_slice(millis.as_bytes());
        }
    }
}

fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
