//! The four forms of a request target (RFC 9112 §3.2).

use super::TargetForm;
use crate::protocol::authority::Authority;
use crate::protocol::error::HeadError;

/// A target taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'b> {
    pub(super) form: TargetForm,
    /// Where the form has one.
    pub(super) authority: Option<Authority<'b>>,
    pub(super) path: &'b str,
    pub(super) query: Option<&'b str>,
}

/// Takes a target apart. The URI's grammar is kept loosely, since browsers send `|`, `"` and `{`;
/// beyond ASCII and a fragment are refused.
pub(super) fn parse<'b>(method: &str, target: &'b str) -> Result<Parts<'b>, HeadError> {
    if memchr::memchr(b'#', target.as_bytes()).is_some() {
        return Err(HeadError::Fragment);
    }
    if !target.is_ascii() {
        return Err(HeadError::Target);
    }
    if method == "CONNECT" {
        return connect(target);
    }
    if target.starts_with('/') {
        return Ok(origin(TargetForm::Origin, None, target));
    }
    if target == "*" && method == "OPTIONS" {
        return Ok(asterisk(TargetForm::Asterisk, None));
    }
    absolute(method, target)
}

fn origin<'b>(form: TargetForm, authority: Option<Authority<'b>>, target: &'b str) -> Parts<'b> {
    let (path, query) = match memchr::memchr(b'?', target.as_bytes()) {
        Some(at) => {
            let (path, rest) = target.split_at_checked(at).unwrap_or((target, ""));
            (path, rest.get(1..))
        }
        None => (target, None),
    };
    Parts {
        form,
        authority,
        path: if path.is_empty() { "/" } else { path },
        query,
    }
}

const fn asterisk(form: TargetForm, authority: Option<Authority<'_>>) -> Parts<'_> {
    Parts {
        form,
        authority,
        path: "*",
        query: None,
    }
}

fn connect(target: &str) -> Result<Parts<'_>, HeadError> {
    let authority = Authority::parse(target.as_bytes()).map_err(|_| HeadError::Target)?;
    if authority.port.is_none() {
        return Err(HeadError::Target);
    }
    Ok(Parts {
        form: TargetForm::Authority,
        authority: Some(authority),
        path: "",
        query: None,
    })
}

fn absolute<'b>(method: &str, target: &'b str) -> Result<Parts<'b>, HeadError> {
    let (scheme, rest) = target.split_once("://").ok_or(HeadError::Target)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(HeadError::Target);
    }
    let end = rest
        .bytes()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).ok_or(HeadError::Target)?;
    // RFC 9110 §4.2.1: an http URI without a host is invalid.
    if authority.is_empty() {
        return Err(HeadError::Host);
    }
    let authority = Some(Authority::parse(authority.as_bytes())?);
    // RFC 9112 §3.2.4: the last proxy turns an OPTIONS without a path into `*`.
    if rest.is_empty() && method == "OPTIONS" {
        return Ok(asterisk(TargetForm::Absolute, authority));
    }
    Ok(origin(TargetForm::Absolute, authority, rest))
}
