//! What Python's functions are asked, and what comes of it.

use std::sync::Arc;
use std::time::Instant;

use crate::abi::Phase;
use crate::policy::hook::{Decision, Hook};

/// What a function is asked.
#[derive(Debug)]
pub struct Question {
    /// Whose.
    pub hook: Arc<Hook>,
    /// When.
    pub phase: Phase,
    /// Nobody waits for an answer after it.
    pub deadline: Instant,
    /// What is known of the request or connection.
    pub facts: Box<Facts>,
    /// The answer's status; 0 before there is one.
    pub status: u16,
    /// The fields that the hook wants, as they came.
    pub headers: Vec<Pair>,
    /// The request's body, if the hook wants it.
    pub body: Option<Vec<u8>>,
    /// What hooks noted before.
    pub metadata: Vec<Pair>,
}

/// A name and a value.
pub type Pair = (Box<[u8]>, Box<[u8]>);

/// What is known of a request or connection.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Empty of a connection.
    pub method: String,
    /// With the query.
    pub path: String,
    /// Host and port.
    pub authority: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// `HTTP/1.1` and so on.
    pub protocol: &'static str,
    /// The client's address and port.
    pub source: String,
    /// What its certificate proved.
    pub identity: Option<String>,
    /// The listener's name.
    pub listener: String,
    /// The route's name.
    pub route: String,
    /// The cluster's name, once one is chosen.
    pub cluster: String,
    /// The request's id.
    pub request_id: String,
    /// The name of the TLS hello.
    pub server_name: Option<String>,
}

/// What came of a question.
#[derive(Debug)]
pub enum Reply {
    /// A verdict; whether it may be remembered.
    Decided(Arc<Decision>, bool),
    /// There is none.
    Failed(Failure),
}

/// Why a function gave no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It raised.
    Raised,
    /// It took too long.
    Timeout,
    /// It gave something else.
    Nonsense,
    /// Nobody answers: the engine's owner is gone, or has no such function.
    Gone,
}
