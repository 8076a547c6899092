//! Which way requests would take through a configuration that isn't in force.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::changes::stage_alone;
use super::options::Credential;
use crate::proxy::http::{self, Peer};
use crate::route::{Considered, Failure, RequestView, RouteTable};
use crate::snapshot::Listener;
use crate::wire::Problem;

/// A request to a listener.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The listener's name.
    pub listener: String,
    /// A whole head of HTTP/1.1.
    pub head: String,
    /// Whether it comes by TLS.
    #[serde(default)]
    pub tls: bool,
    /// What the client's certificate proves.
    #[serde(default)]
    pub identity: Option<String>,
}

/// What becomes of it.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    /// The code of what the client is told instead (docs/errors.md).
    pub error: Option<&'static str>,
    /// The path in its normal form, as routes see it.
    pub path: String,
    /// The routes that stand at its host and path, in the order in which they count.
    pub considered: Vec<Rule>,
    /// The one that it takes, by its position in the table.
    pub route: Option<u32>,
}

/// A route that was looked at.
#[derive(Debug, Serialize)]
pub struct Rule {
    /// Its position in the table.
    pub route: u32,
    /// The key of the condition that doesn't hold: `method`, `headers.end-user`.
    pub failed: Option<String>,
}

/// Compiles a complete configuration without putting it in force, and asks it.
///
/// # Errors
/// What it would be refused for, or questions about no listener of it.
pub fn explain(
    delta: &[u8],
    credentials: Vec<Credential>,
    questions: &[Question],
) -> Result<Vec<Answer>, Vec<Problem>> {
    let staged = stage_alone(delta, credentials)?;
    let listeners: HashMap<&str, &Listener> = staged
        .listeners()
        .map(|listener| (&*listener.wire.name, &**listener))
        .collect();
    let known = |question: &Question| {
        let listener = listeners.get(&*question.listener);
        listener
            .map(|listener| answer(listener, question))
            .ok_or_else(|| vec![unknown(question)])
    };
    questions.iter().map(known).collect()
}

fn unknown(question: &Question) -> Problem {
    Problem {
        code: "listener_unknown",
        kind: "Listener",
        name: question.listener.clone(),
        path: "name".into(),
        message: format!("no listener is called {:?}", question.listener),
        hint: String::new(),
    }
}

fn answer(listener: &Listener, question: &Question) -> Answer {
    let peer = Peer {
        tls: question.tls,
        identity: question.identity.as_deref(),
    };
    let table = listener.routes.as_deref();
    let seen = http::see(listener, question.head.as_bytes(), peer, |view| {
        routed(table, view)
    });
    seen.unwrap_or_else(|kind| Answer {
        error: Some(kind.code()),
        ..Answer::default()
    })
}

fn routed(table: Option<&RouteTable>, view: &RequestView<'_>) -> Answer {
    let (found, considered) = table.map(|table| table.trace(view)).unwrap_or_default();
    Answer {
        error: found
            .is_none()
            .then(|| crate::error::ErrorKind::NoRoute.code()),
        path: view.path.to_owned(),
        considered: considered.iter().map(rule).collect(),
        route: found.map(|route| route.index),
    }
}

fn rule(considered: &Considered<'_>) -> Rule {
    let failed = considered.failure.map(|failure| match failure {
        Failure::Path => "path".to_owned(),
        Failure::Method => "method".to_owned(),
        Failure::Scheme => "scheme".to_owned(),
        Failure::Authority => "authority".to_owned(),
        Failure::Identity => "identity".to_owned(),
        Failure::Header(name) => format!("headers.{name}"),
        Failure::WithoutHeader(name) => format!("without_headers.{name}"),
        Failure::Query(name) => format!("query.{name}"),
    });
    Rule {
        route: considered.route,
        failed,
    }
}
