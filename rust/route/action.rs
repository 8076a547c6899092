//! What a route does with what it takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::ClusterSlot;
use super::Cors;
use super::Noted;
use super::Redirect;
use super::Rewrite;
use super::Split;
use super::headers;
use super::headers::HeaderEdits;
use super::rules::Rules;
use crate::wire::Problems;
use crate::wire::route;

/// Bytes of an answer, which every worker shares: what is larger is a file, and a server's work.
const MAX_BODY: usize = 1 << 20;

/// What a route does with what it takes.
#[derive(Debug)]
pub enum Action {
    /// Goes to clusters.
    Forward(Split),
    /// Sends the client elsewhere.
    Redirect(Box<Redirect>),
    /// Answers.
    Respond(Box<DirectResponse>),
}

/// An answer that nobody is asked for.
#[derive(Debug)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: u16,
    /// None without a body.
    pub content_type: Option<Box<str>>,
    /// What follows the head.
    pub body: Bytes,
}

/// What changes on the way of requests and answers; most routes change nothing.
#[derive(Debug, Default)]
pub struct Changes {
    /// Of path and host.
    pub rewrite: Option<Rewrite>,
    /// Of a request's fields.
    pub request: HeaderEdits,
    /// Of an answer's fields.
    pub response: HeaderEdits,
    /// Who may call from a browser.
    pub cors: Option<Cors>,
}

impl Action {
    /// Compiles what the route at `at` does; `None` when it noted a problem.
    pub(super) fn compile(
        route: &route::Route,
        at: &str,
        resolve: &mut dyn FnMut(&str) -> Option<ClusterSlot>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let path = route.matches.path.as_ref();
        if route.redirect.is_some() && route.direct_response.is_some()
            || !route.to.is_empty() && (route.redirect.is_some() || route.direct_response.is_some())
        {
            let message = "a route goes somewhere, redirects, or answers";
            let hint = "keep one of to, redirect, direct_response";
            problems.add("action_ambiguous", at, message, hint);
            return None;
        }
        if let Some(wire) = &route.redirect {
            let redirect = Redirect::compile(wire, path, &format!("{at}.redirect"), problems)?;
            return Some(Self::Redirect(Box::new(redirect)));
        }
        if let Some(wire) = &route.direct_response {
            let at = format!("{at}.direct_response");
            let response = DirectResponse::compile(wire, &at, problems)?;
            return Some(Self::Respond(Box::new(response)));
        }
        Split::compile(&route.to, &format!("{at}.to"), resolve, problems).map(Self::Forward)
    }
}

impl DirectResponse {
    fn compile(wire: &route::DirectResponse, at: &str, problems: &mut Problems) -> Option<Self> {
        let status = wire.status;
        if !(200..=599).contains(&status) {
            let message = format!("{status} is no status of an answer");
            problems.add(
                "status_invalid",
                format!("{at}.status"),
                message,
                "write 200 to 599",
            );
            return None;
        }
        let body = body(wire, at, problems)?;
        if body.len() > MAX_BODY {
            let message = format!("{} bytes are more than an answer may have", body.len());
            let hint = "keep it within 1 MiB; a server sends more";
            problems.add("body_too_large", at, message, hint);
            return None;
        }
        let kind = wire.content_type.as_deref();
        if let Some(kind) = kind.filter(|kind| !is_value(kind)) {
            let message = format!("`{kind}` is no media type");
            let hint = "write for example application/json";
            problems.add(
                "content_type_invalid",
                format!("{at}.content_type"),
                message,
                hint,
            );
            return None;
        }
        let kind = kind.or_else(|| (!body.is_empty()).then_some("text/plain"));
        Some(Self {
            status,
            content_type: kind.map(Box::from),
            body,
        })
    }
}

fn body(wire: &route::DirectResponse, at: &str, problems: &mut Problems) -> Option<Bytes> {
    match (&wire.body, &wire.body_base64) {
        (Some(_), Some(_)) => {
            let message = "an answer has one body";
            problems.add("body_ambiguous", at, message, "keep body or body_base64");
            None
        }
        (Some(text), None) => Some(Bytes::from(text.clone())),
        (None, Some(coded)) => STANDARD
            .decode(coded)
            .map(Bytes::from)
            .map_err(|error| {
                let message = format!("it is no base64: {error}");
                let hint = "write A-Z, a-z, 0-9, + and /, filled up with =";
                problems.add("body_invalid", format!("{at}.body_base64"), message, hint);
            })
            .ok(),
        (None, None) => Some(Bytes::new()),
    }
}

fn is_value(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

impl Changes {
    /// Compiles what the route at `at` changes; none where it changes nothing.
    pub(super) fn compile(
        route: &route::Route,
        at: &str,
        rules: &mut Rules<'_>,
    ) -> Result<Option<Box<Self>>, Noted> {
        let (request, response) = (&route.request_headers, &route.response_headers);
        if request.is_none()
            && response.is_none()
            && route.rewrite.is_none()
            && route.cors.is_none()
        {
            return Ok(None);
        }
        let problems = &mut *rules.problems;
        let at_request = format!("{at}.request_headers");
        let request = headers::compile(request.as_deref(), false, &at_request, problems);
        let at_response = format!("{at}.response_headers");
        let response = headers::compile(response.as_deref(), true, &at_response, problems);
        let rewrite = match &route.rewrite {
            Some(wire) => {
                let path = route.matches.path.as_ref();
                Rewrite::compile(wire, path, &format!("{at}.rewrite"), problems).map(Some)
            }
            None => Some(None),
        };
        let cors = match &route.cors {
            Some(wire) => Cors::compile(wire, &format!("{at}.cors"), rules).map(Some),
            None => Some(None),
        };
        Ok(Some(Box::new(Self {
            rewrite: rewrite.ok_or(Noted)?,
            request: request.ok_or(Noted)?,
            response: response.ok_or(Noted)?,
            cors: cors.ok_or(Noted)?,
        })))
    }
}
