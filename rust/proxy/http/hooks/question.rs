//! What functions are asked about requests and answers, and what remembered verdicts depend on.

use std::sync::Arc;

use super::run::Run;
use crate::abi::Phase;
use crate::policy::hook::{Hook, Part, Python};
use crate::protocol::head::{Field, FieldSet, numbered};
use crate::proxy::connection::Downstream;
use crate::proxy::hooks::facts_of;
use crate::proxy::http::record::Record;
use crate::proxy::http::request::Request;
use crate::remote::desk::{Facts, Pair, Question};
use crate::route::Route;
use crate::runtime::clock;

/// Stands for what a request doesn't have, so that it isn't taken for an empty value.
const ABSENT: u32 = u32::MAX;

/// What a function is asked about a request's head.
pub(super) fn of_request(
    request: &Request<'_>,
    route: &Route,
    hook: &Arc<Hook>,
    python: &Python,
) -> Question {
    Question {
        hook: Arc::clone(hook),
        phase: Phase::Request,
        deadline: clock::now(),
        facts: Box::new(facts(request, route)),
        status: 0,
        headers: wanted(python, request.head.fields, request.hidden()),
        body: None,
        metadata: Vec::new(),
    }
}

/// What a function is told of a request.
pub(super) fn facts(request: &Request<'_>, route: &Route) -> Facts {
    let head = request.head;
    let mut path = request.path.to_string();
    if let Some(query) = head.query {
        path.push('?');
        path.push_str(query);
    }
    let id = request.request_id().map(String::from_utf8_lossy);
    Facts {
        method: head.method.to_owned(),
        path,
        authority: head.authority.text.to_owned(),
        scheme: if request.view().scheme == "https" {
            "https"
        } else {
            "http"
        },
        protocol: request.facts.version.as_str(),
        route: route.name.to_string(),
        request_id: id.unwrap_or_default().into_owned(),
        ..facts_of(request.conn)
    }
}

/// What a function is told of a request whose head is gone.
pub(super) fn facts_later(conn: &Downstream, record: &Record, run: Option<&Run>) -> Facts {
    let noted = run.and_then(|run| run.facts.as_deref()).cloned();
    Facts {
        route: record.route_name().to_owned(),
        cluster: record.cluster_name().to_owned(),
        ..noted.unwrap_or_else(|| facts_of(conn))
    }
}

/// The fields that a function wants, as they came.
pub(super) fn wanted(python: &Python, fields: &[Field<'_>], hidden: FieldSet) -> Vec<Pair> {
    let mut found = Vec::with_capacity(python.headers.len());
    for (index, field) in numbered(fields) {
        let mut names = python.headers.iter().map(|name| &**name);
        let Some(name) = names.find(|name| field.name.eq_ignore_ascii_case(name)) else {
            continue;
        };
        if !hidden.contains(index) {
            found.push((name.as_bytes().into(), field.value.into()));
        }
    }
    found
}

/// Appends what a verdict depends on, in a form that has one reading.
pub(super) fn key(request: &Request<'_>, route: &Route, parts: &[Part], out: &mut Vec<u8>) {
    let conn = request.conn;
    for part in parts {
        let text = match part {
            Part::Header(name) => {
                for value in request.view().values(name) {
                    put(Some(value), out);
                }
                None
            }
            Part::Identity => conn.identity.as_ref().map(|it| it.name().as_bytes()),
            Part::Method => Some(request.head.method.as_bytes()),
            Part::Path => Some(request.path.as_bytes()),
            Part::Query => request.head.query.map(str::as_bytes),
            Part::Authority => Some(request.head.authority.text.as_bytes()),
            Part::SourceIp => Some(conn.peer_ip().as_bytes()),
            Part::Route => Some(route.name.as_bytes()),
            Part::Listener => Some(request.current.listener.name.as_bytes()),
            Part::Sni => conn.sni.as_deref().map(str::as_bytes),
        };
        put(text, out);
    }
}

fn put(text: Option<&[u8]>, out: &mut Vec<u8>) {
    let length = text.map_or(ABSENT, |text| u32::try_from(text.len()).unwrap_or(ABSENT));
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(text.unwrap_or_default());
}
