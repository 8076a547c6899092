//! What an attempt came to, as those see it who judge endpoints by it.

use crate::error::{Blame, ErrorKind};

/// What an attempt to have a request served came to. One that its client gave up says nothing of
/// the endpoint and comes to no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this status; what a gRPC call ended with counts as the status it stands for.
    Answered(u16),
    /// No connection, or none in time.
    Unconnected,
    /// The endpoint broke off.
    Reset,
    /// It did not answer in time.
    TimedOut,
    /// A connection for bytes that we don't look into.
    Connected,
}

impl Outcome {
    /// An answer with `status`, to a gRPC call that ended with `grpc_status` where its head says so.
    pub fn answered(status: u16, grpc_status: Option<u32>) -> Self {
        let told = grpc_status.and_then(status_for);
        Self::Answered(told.unwrap_or(status))
    }

    /// What a failure says of the endpoint; nothing, where it isn't the endpoint's fault.
    pub fn of(kind: ErrorKind) -> Option<Self> {
        if kind.blame() != Blame::Upstream {
            return None;
        }
        Some(match kind {
            ErrorKind::UpstreamConnect
            | ErrorKind::UpstreamConnectTimeout
            | ErrorKind::UpstreamTls => Self::Unconnected,
            ErrorKind::UpstreamReset | ErrorKind::UpstreamProtocol => Self::Reset,
            _ => Self::TimedOut,
        })
    }

    /// Whether the endpoint failed, for who doesn't ask how.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Answered(status) => status >= 500,
            Self::Unconnected | Self::Reset | Self::TimedOut => true,
            Self::Connected => false,
        }
    }
}

/// The status of HTTP that a failure of gRPC stands for; the other failures are the caller's.
const fn status_for(grpc_status: u32) -> Option<u16> {
    match grpc_status {
        // UNKNOWN, INTERNAL, DATA_LOSS
        2 | 13 | 15 => Some(500),
        // UNIMPLEMENTED
        12 => Some(501),
        // UNAVAILABLE
        14 => Some(503),
        // DEADLINE_EXCEEDED
        4 => Some(504),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_endpoint_did_is_an_outcome() {
        for kind in ErrorKind::ALL {
            let outcome = Outcome::of(kind);
            assert_eq!(
                outcome.is_some(),
                kind.blame() == Blame::Upstream,
                "{kind:?}"
            );
            assert!(outcome.is_none_or(Outcome::is_failure), "{kind:?}");
        }
        assert_eq!(
            Outcome::of(ErrorKind::UpstreamConnectTimeout),
            Some(Outcome::Unconnected)
        );
        assert_eq!(
            Outcome::of(ErrorKind::RequestTimeout),
            Some(Outcome::TimedOut)
        );
    }

    #[test]
    fn a_grpc_call_fails_by_its_status() {
        assert!(Outcome::answered(200, Some(14)).is_failure());
        assert!(!Outcome::answered(200, Some(5)).is_failure());
        assert!(!Outcome::answered(200, Some(0)).is_failure());
        assert!(Outcome::answered(503, None).is_failure());
    }
}
