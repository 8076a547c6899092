//! Compiles a listener.

use std::sync::Arc;
use std::time::Duration;

use super::{OpenCount, Surroundings, hook, http2};
use crate::net::Address;
use crate::net::address::Written;
use crate::policy::hook::{Found, Hooks};
use crate::policy::tcp_fault::TcpFault;
use crate::protocol::head::MAX_FIELDS;
use crate::protocol::http1::HeadLimits;
use crate::route::{ClusterSlot, RouteTable, SniTable};
use crate::runtime::buffers::BUFFER_BYTES;
use crate::telemetry::access_log::LogSink;
use crate::tls::accept::ServerTls;
use crate::wire::listener::{LogFormat, Protocol};
use crate::wire::{self, Problems};

/// What an http listener agrees to speak, best first; clients that offer none of them are refused.
const ALPN_OF_HTTP: &[&str] = &["h2", "http/1.1", "http/1.0"];

/// A listener, ready for use.
#[derive(Debug)]
pub struct Listener {
    /// Its name.
    pub name: Arc<str>,
    /// Where it accepts.
    pub address: Address,
    /// What the document said.
    pub wire: Arc<wire::Listener>,
    /// Bounds of request heads.
    pub head_limits: HeadLimits,
    /// HTTP routes.
    pub routes: Option<Arc<RouteTable>>,
    /// Routes of bytes: by SNI, or all to one place.
    pub sni: Option<Arc<SniTable>>,
    /// TLS termination.
    pub tls: Option<Arc<ServerTls>>,
    /// What is done on purpose to connections that pass as bytes.
    pub fault: Option<TcpFault>,
    /// Who is asked about its connections.
    pub hooks: Option<Arc<Hooks>>,
    /// Open connections over all workers.
    pub open: Arc<OpenCount>,
    /// Where its access log goes.
    pub access_log: Option<AccessLog>,
    /// From a request's first byte to the end of its head.
    pub header_timeout: Option<Duration>,
    /// A kept-alive connection without a request.
    pub idle_timeout: Option<Duration>,
    /// A request, response or connection on which no byte moves.
    pub stream_idle_timeout: Option<Duration>,
    /// An HTTP/2 stream whose receiver takes next to nothing of what waits for it.
    pub window_stall_timeout: Option<Duration>,
    /// The age at which an HTTP connection is told to end after what it carries.
    pub max_connection_age: Option<Duration>,
}

/// An access log and its form.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// Where lines go.
    pub sink: Arc<LogSink>,
    /// Text or JSON.
    pub format: LogFormat,
}

/// A duration in milliseconds, where 0 means none.
pub(super) fn optional(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}

/// What a listener refers to.
pub(super) struct References<'a> {
    /// A route table by name.
    pub(super) table: &'a dyn Fn(&str) -> Option<Arc<RouteTable>>,
    /// A cluster by name.
    pub(super) cluster: &'a dyn Fn(&str) -> Option<ClusterSlot>,
    /// A hook by name.
    pub(super) hook: &'a dyn Fn(&str) -> Found,
    /// The same listener in the running snapshot.
    pub(super) before: Option<&'a Arc<Listener>>,
}

/// Compiles one listener; `None` after a problem.
pub(super) fn compile(
    wire: Arc<wire::Listener>,
    references: &References<'_>,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) -> Option<Listener> {
    let address = address(&wire.address, problems);
    check(&wire, problems);
    let routes = http_routes(&wire, references, problems);
    let sni = bytes_routes(&wire, references, problems);
    let tls = server_tls(&wire, references, around, problems);
    let access_log = wire
        .access_log
        .as_ref()
        .and_then(|log| open_log(log, around, problems));
    let fault = wire.fault.as_ref();
    let fault = fault.and_then(|fault| TcpFault::compile(fault, problems));
    let hooks = hook::of_listener(&wire, references.hook, problems);
    let limits = &wire.limits;
    Some(Listener {
        hooks,
        name: Arc::from(wire.name.as_str()),
        address: address?,
        head_limits: HeadLimits {
            bytes: limits.head_bytes as usize,
            count: limits.head_count as usize,
            target: limits.target_bytes as usize,
            underscores: wire.http.underscores,
        },
        routes,
        sni: sni.map(Arc::new),
        tls,
        fault,
        open: references
            .before
            .map_or_else(Arc::default, |before| Arc::clone(&before.open)),
        access_log,
        header_timeout: optional(wire.timeouts.header_ms),
        idle_timeout: optional(wire.timeouts.idle_ms),
        stream_idle_timeout: optional(wire.timeouts.stream_idle_ms),
        window_stall_timeout: optional(wire.timeouts.window_stall_ms),
        max_connection_age: optional(wire.timeouts.max_connection_age_ms),
        wire,
    })
}

fn http_routes(
    wire: &wire::Listener,
    references: &References<'_>,
    problems: &mut Problems,
) -> Option<Arc<RouteTable>> {
    let Some(name) = wire.route_table.as_deref() else {
        if matches!(wire.protocol, Protocol::Http | Protocol::Http2) {
            let hint = "give the listener routes, or use protocol: tcp with to:";
            let message = "an http listener needs routes";
            problems.add("routes_missing", "routes", message, hint);
        }
        return None;
    };
    let table = (references.table)(name);
    if table.is_none() {
        let message = format!("there is no route table {name:?}");
        let hint = "add it in the same change";
        problems.add("route_table_unknown", "route_table", message, hint);
    }
    table
}

fn address(text: &str, problems: &mut Problems) -> Option<Address> {
    match Written::parse(text) {
        Ok(Written::Address(address)) => Some(address),
        Ok(Written::Name(..)) => {
            let hint = "write the IP address to bind: 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080";
            problems.add(
                "address_is_name",
                "address",
                format!("{text:?} is a host name"),
                hint,
            );
            None
        }
        Err(why) => {
            let message = format!("{text:?} is no address: {why}");
            problems.add(
                "address_invalid",
                "address",
                message,
                "for example 127.0.0.1:8080",
            );
            None
        }
    }
}

fn check(wire: &wire::Listener, problems: &mut Problems) {
    let limits = &wire.limits;
    let mut bound = |path: &str, value: usize, low: usize, high: usize| {
        if !(low..=high).contains(&value) {
            let message = format!("{value} is out of range");
            problems.add(
                "limit_invalid",
                path,
                message,
                format!("write {low} to {high}"),
            );
        }
    };
    // A head must fit into one read buffer with room for a byte behind it.
    bound(
        "limits.head_bytes",
        limits.head_bytes as usize,
        256,
        BUFFER_BYTES / 2,
    );
    bound(
        "limits.head_count",
        limits.head_count as usize,
        1,
        MAX_FIELDS,
    );
    bound(
        "limits.target_bytes",
        limits.target_bytes as usize,
        16,
        BUFFER_BYTES / 2,
    );
    http2::check(&wire.http2, problems);
    if wire.tls.is_some() && matches!(wire.protocol, Protocol::TlsPassthrough | Protocol::Auto) {
        problems.add(
            "tls_on_passthrough",
            "tls",
            "this protocol passes TLS through and can't end it",
            "remove tls, or use protocol: http or tcp",
        );
    }
}

fn bytes_routes(
    wire: &wire::Listener,
    references: &References<'_>,
    problems: &mut Problems,
) -> Option<SniTable> {
    if matches!(wire.protocol, Protocol::Http | Protocol::Http2) {
        return None;
    }
    if wire.to.is_empty() && wire.sni_routes.is_empty() && wire.route_table.is_none() {
        let hint = "write to: and the name of a cluster";
        problems.add("target_missing", "to", "the listener leads nowhere", hint);
    }
    let mut resolve = |name: &str| (references.cluster)(name);
    Some(SniTable::compile(
        &wire.sni_routes,
        &wire.to,
        &mut resolve,
        problems,
    ))
}

/// An unchanged TLS section keeps its compiled form and with it the tickets it has issued, unless
/// the protocol changed, and with that what it accepts by default.
fn server_tls(
    wire: &wire::Listener,
    references: &References<'_>,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) -> Option<Arc<ServerTls>> {
    let tls = wire.tls.as_ref()?;
    if let Some(before) = references.before
        && before.wire.tls.as_ref() == Some(tls)
        && before.wire.protocol == wire.protocol
        && before.tls.is_some()
    {
        return before.tls.clone();
    }
    let alpn = match wire.protocol {
        Protocol::Http => ALPN_OF_HTTP,
        Protocol::Http2 => &["h2"],
        Protocol::Tcp | Protocol::TlsPassthrough | Protocol::Auto => &[],
    };
    ServerTls::compile(tls, alpn, around.credentials, problems).map(Arc::new)
}

fn open_log(
    log: &wire::listener::AccessLog,
    around: &Surroundings<'_>,
    problems: &mut Problems,
) -> Option<AccessLog> {
    match around.logs.open(&log.path) {
        Ok(sink) => Some(AccessLog {
            sink,
            format: log.format,
        }),
        Err(error) => {
            let message = format!("can't append to {}: {error}", log.path);
            let hint = "make its folder, or log to /dev/stdout";
            problems.add("access_log_unwritable", "access_log.path", message, hint);
            None
        }
    }
}
