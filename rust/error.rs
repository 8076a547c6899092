//! The engine's errors: what failed, whose fault it was, and what the caller is told.
//!
//! One table: every failure that a client can see has a stable code (`x-meshcore-error`), a status
//! and Envoy's response flag. Adding a kind means adding a row here and in docs/errors.md.

use std::fmt;

/// A failure on the way of a connection.
#[derive(Debug)]
pub struct Error {
    /// What failed.
    pub kind: ErrorKind,
    /// Whether the request provably never reached the application.
    pub retry: bool,
    source: Option<std::io::Error>,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Who calls us.
    Downstream,
    /// Whom we call.
    Upstream,
    /// We ourselves, or our configuration.
    Local,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A malformed or ambiguous request head or body framing.
    BadRequest,
    /// The head did not end in time.
    HeadTimeout,
    /// The request body stopped moving.
    BodyTimeout,
    /// The request body is larger than allowed.
    BodyTooLarge,
    /// The request target is longer than allowed.
    TargetTooLong,
    /// An expectation other than `100-continue`.
    ExpectationFailed,
    /// Too many fields, or too many bytes of them.
    HeadTooLarge,
    /// A transfer coding or method that we don't implement.
    NotImplemented,
    /// No route matches.
    NoRoute,
    /// CONNECT where the listener doesn't allow it.
    ConnectRefused,
    /// The cluster has no endpoint.
    NoEndpoint,
    /// A limit of the cluster is reached.
    Overflow,
    /// The cluster's circuit is open.
    CircuitOpen,
    /// An upstream connection could not be made.
    UpstreamConnect,
    /// An upstream connection was not made in time.
    UpstreamConnectTimeout,
    /// The upstream's TLS handshake failed.
    UpstreamTls,
    /// The upstream closed or reset before its response was complete.
    UpstreamReset,
    /// The upstream's message is malformed.
    UpstreamProtocol,
    /// The route's timeout ran out.
    RequestTimeout,
    /// The response's head did not come in time.
    ResponseHeaderTimeout,
    /// No attempt's response began in the time of one try.
    PerTryTimeout,
    /// The response stopped moving.
    StreamIdle,
    /// The upstream gave a request's stream no window.
    UpstreamStalled,
    /// The client gave a response's stream no window.
    DownstreamStalled,
    /// The client went away.
    DownstreamClosed,
    /// The downstream's TLS handshake failed.
    DownstreamTls,
    /// A limit of the route let no more requests pass.
    RateLimited,
    /// Nobody could say whether a limit of the route lets the request pass.
    RateLimitUnavailable,
    /// A hook gave no verdict of worth: it raised, said nonsense or broke its contract.
    HookFailed,
    /// A hook gave no verdict in time, or could not be asked.
    HookUnavailable,
    /// The route's fault refused the request on purpose.
    FaultInjected,
    /// The cluster works on as many requests as it can without a queue.
    ConcurrencyLimit,
    /// The proxy is at its connection limit, or draining.
    Overload,
}

impl ErrorKind {
    /// Every kind, in the order of declaration: `ALL[kind as usize] == kind`.
    pub const ALL: [Self; 33] = [
        Self::BadRequest,
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::BodyTooLarge,
        Self::TargetTooLong,
        Self::ExpectationFailed,
        Self::HeadTooLarge,
        Self::NotImplemented,
        Self::NoRoute,
        Self::ConnectRefused,
        Self::NoEndpoint,
        Self::Overflow,
        Self::CircuitOpen,
        Self::UpstreamConnect,
        Self::UpstreamConnectTimeout,
        Self::UpstreamTls,
        Self::UpstreamReset,
        Self::UpstreamProtocol,
        Self::RequestTimeout,
        Self::ResponseHeaderTimeout,
        Self::PerTryTimeout,
        Self::StreamIdle,
        Self::UpstreamStalled,
        Self::DownstreamStalled,
        Self::DownstreamClosed,
        Self::DownstreamTls,
        Self::RateLimited,
        Self::RateLimitUnavailable,
        Self::HookFailed,
        Self::HookUnavailable,
        Self::FaultInjected,
        Self::ConcurrencyLimit,
        Self::Overload,
    ];

    /// (code, status, Envoy's response flag, blame); status 0 answers nothing.
    const fn row(self) -> (&'static str, u16, &'static str, Blame) {
        use Blame::{Downstream, Local, Upstream};
        match self {
            Self::BadRequest => ("bad_request", 400, "DPE", Downstream),
            Self::HeadTimeout => ("request_head_timeout", 408, "DT", Downstream),
            Self::BodyTimeout => ("request_body_timeout", 408, "SI", Downstream),
            Self::BodyTooLarge => ("request_body_too_large", 413, "DPE", Downstream),
            Self::TargetTooLong => ("request_target_too_long", 414, "DPE", Downstream),
            Self::ExpectationFailed => ("expectation_failed", 417, "DPE", Downstream),
            Self::HeadTooLarge => ("request_head_too_large", 431, "DPE", Downstream),
            Self::NotImplemented => ("not_implemented", 501, "DPE", Downstream),
            Self::NoRoute => ("no_route", 404, "NR", Local),
            Self::ConnectRefused => ("connect_not_allowed", 405, "NR", Local),
            Self::NoEndpoint => ("no_healthy_upstream", 503, "UH", Local),
            Self::Overflow => ("upstream_overflow", 503, "UO", Local),
            Self::CircuitOpen => ("circuit_open", 503, "UO", Local),
            Self::UpstreamConnect => ("upstream_connect_failed", 503, "UF", Upstream),
            Self::UpstreamConnectTimeout => ("upstream_connect_timeout", 504, "UF", Upstream),
            Self::UpstreamTls => ("upstream_tls_failed", 503, "UF", Upstream),
            Self::UpstreamReset => ("upstream_reset", 502, "UC", Upstream),
            Self::UpstreamProtocol => ("upstream_protocol_error", 502, "UPE", Upstream),
            Self::RequestTimeout => ("request_timeout", 504, "UT", Upstream),
            Self::ResponseHeaderTimeout => ("response_header_timeout", 504, "UT", Upstream),
            Self::PerTryTimeout => ("per_try_timeout", 504, "UT", Upstream),
            Self::StreamIdle => ("stream_idle_timeout", 504, "SI", Upstream),
            Self::UpstreamStalled => ("upstream_stalled", 504, "SI", Upstream),
            Self::DownstreamStalled => ("downstream_stalled", 408, "SI", Downstream),
            Self::DownstreamClosed => ("downstream_closed", 0, "DC", Downstream),
            Self::DownstreamTls => ("downstream_tls_failed", 0, "DPE", Downstream),
            Self::RateLimited => ("rate_limited", 429, "RL", Local),
            Self::RateLimitUnavailable => ("rate_limit_unavailable", 503, "RLSE", Local),
            Self::HookFailed => ("hook_failed", 500, "UAEX", Local),
            Self::HookUnavailable => ("hook_unavailable", 503, "UAEX", Local),
            Self::FaultInjected => ("fault_injected", 503, "FI", Local),
            Self::ConcurrencyLimit => ("reached_concurrency_limit", 503, "UO", Local),
            Self::Overload => ("overload", 503, "OM", Local),
        }
    }

    /// The stable code, sent as `x-meshcore-error`.
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// The status of a local reply; 0 where the client can't be told.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// Envoy's response flag.
    pub const fn flag(self) -> &'static str {
        self.row().2
    }

    /// Whose fault.
    pub const fn blame(self) -> Blame {
        self.row().3
    }
}

impl Error {
    /// A failure without an operating system error behind it.
    pub const fn new(kind: ErrorKind) -> Self {
        Self {
            kind,
            retry: false,
            source: None,
        }
    }

    /// A failure of a socket.
    pub const fn io(kind: ErrorKind, source: std::io::Error) -> Self {
        Self {
            kind,
            retry: false,
            source: Some(source),
        }
    }

    /// The same, no longer taken for unprocessed.
    #[must_use]
    pub const fn processed(mut self) -> Self {
        self.retry = false;
        self
    }

    /// The same, marked as provably unprocessed: it may be sent again.
    #[must_use]
    pub const fn unprocessed(mut self) -> Self {
        self.retry = true;
        self
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.code())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    #[test]
    fn all_is_indexed_by_the_kind() {
        for (index, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
        assert_eq!(
            ErrorKind::ALL.len(),
            ErrorKind::Overload as usize + 1,
            "the last kind closes the list"
        );
    }
}
