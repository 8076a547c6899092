//! The key by which a cluster that goes by keys chooses the endpoint: what of a request it is made of.

use std::fmt::Write as _;

use super::RequestView;
use super::condition::parameter;
use super::headers::HeaderEdit;
use super::rules::TOKEN_HINT;
use super::rules::is_token;
use crate::wire::Problems;
use crate::wire::route;

/// What a key is made of; never empty.
#[derive(Debug)]
pub struct HashOn {
    parts: Box<[Part]>,
}

#[derive(Debug)]
struct Part {
    source: Source,
    /// What follows doesn't count where something was found until here.
    terminal: bool,
}

#[derive(Debug)]
enum Source {
    Header(Box<str>),
    Cookie(Cookie),
    Address,
    Query(Box<str>),
}

#[derive(Debug)]
struct Cookie {
    name: Box<str>,
    /// What follows the value in `Set-Cookie`; none where we give no cookies.
    attributes: Option<Box<str>>,
}

/// What a key is made with.
#[derive(Debug, Clone, Copy)]
pub struct Hashers {
    /// The hash of bytes.
    pub of: fn(&[u8]) -> u64,
    /// That of several.
    pub combine: fn(u64, u64) -> u64,
}

/// A request's key.
#[derive(Debug, Default)]
pub struct Key {
    /// None where the request has nothing of what is asked for.
    pub hash: Option<u64>,
    /// The cookies that it is given.
    pub cookies: Vec<HeaderEdit>,
}

impl HashOn {
    /// Compiles what the route at `at` says; `None` where it says nothing, or a problem was noted.
    pub(super) fn compile(
        route: &route::Route,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Box<Self>> {
        let mut parts = Vec::with_capacity(route.hash_on.len());
        for (index, wire) in route.hash_on.iter().enumerate() {
            let source = source(wire, &format!("{at}.hash_on[{index}]"), problems)?;
            let terminal = wire.terminal;
            parts.push(Part { source, terminal });
        }
        (!parts.is_empty()).then(|| {
            Box::new(Self {
                parts: parts.into(),
            })
        })
    }

    /// The key of a request from `address`; `fresh` gives the value of a cookie that it gets.
    pub fn key(
        &self,
        view: &RequestView<'_>,
        address: &str,
        hashers: Hashers,
        fresh: &mut dyn FnMut() -> u64,
    ) -> Key {
        let mut key = Key::default();
        for Part { source, terminal } in &self.parts {
            let found = match source {
                Source::Header(name) => hash_all(view, name, hashers),
                Source::Query(name) => parameter(view.query, name).map(hashers.of),
                Source::Address => (!address.is_empty()).then(|| (hashers.of)(address.as_bytes())),
                Source::Cookie(cookie) => match cookie_value(view, &cookie.name) {
                    Some(value) => Some((hashers.of)(value)),
                    None => cookie
                        .give(fresh, &mut key.cookies)
                        .map(|value| (hashers.of)(value.as_bytes())),
                },
            };
            key.hash = match (key.hash, found) {
                (Some(before), Some(next)) => Some((hashers.combine)(before, next)),
                (before, next) => before.or(next),
            };
            if *terminal && key.hash.is_some() {
                break;
            }
        }
        key
    }
}

/// A field that came several times counts with all its values, in their order.
fn hash_all(view: &RequestView<'_>, name: &str, hashers: Hashers) -> Option<u64> {
    if name.starts_with(':') {
        return view.value(name).map(hashers.of);
    }
    view.values(name).map(hashers.of).reduce(hashers.combine)
}

/// The first cookie of this name that has a value.
pub(super) fn cookie_value<'v>(view: &RequestView<'v>, name: &str) -> Option<&'v [u8]> {
    view.values("cookie")
        .flat_map(|field| field.split(|byte| *byte == b';'))
        .find_map(|pair| {
            let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
            value.strip_prefix(b"=")
        })
        .filter(|value| !value.is_empty())
}

impl Cookie {
    fn give(&self, fresh: &mut dyn FnMut() -> u64, given: &mut Vec<HeaderEdit>) -> Option<String> {
        let attributes = self.attributes.as_ref()?;
        let value = format!("{:016x}", fresh());
        let field = format!("{}={value}{attributes}", self.name);
        given.push(HeaderEdit::add("set-cookie", field.as_bytes()));
        Some(value)
    }
}

fn source(wire: &route::HashOn, at: &str, problems: &mut Problems) -> Option<Source> {
    let mut found = [
        wire.header
            .as_deref()
            .map(|name| header(name, at, problems)),
        wire.cookie.as_ref().map(|it| cookie(it, at, problems)),
        wire.source_address.then_some(Some(Source::Address)),
        wire.query
            .as_deref()
            .map(|name| Some(Source::Query(name.into()))),
    ]
    .into_iter()
    .flatten();
    let (first, other) = (found.next(), found.next());
    if first.is_none() || other.is_some() {
        let message = "a part of a key is one thing";
        let hint = "write one of header, cookie, source_address: true, query";
        problems.add("hash_on_ambiguous", at, message, hint);
        return None;
    }
    first?
}

fn header(name: &str, at: &str, problems: &mut Problems) -> Option<Source> {
    let known = [":method", ":scheme", ":authority"].contains(&name);
    if !known && !is_token(name) {
        let message = format!("`{name}` is no header's name");
        problems.add(
            "header_invalid",
            format!("{at}.header"),
            message,
            TOKEN_HINT,
        );
        return None;
    }
    Some(Source::Header(name.to_ascii_lowercase().into()))
}

fn cookie(wire: &route::HashCookie, at: &str, problems: &mut Problems) -> Option<Source> {
    let attributes = attributes(wire, &format!("{at}.cookie"), problems)?;
    Some(Source::Cookie(Cookie {
        name: wire.name.as_str().into(),
        attributes: wire.ttl_ms.map(|_| attributes.into()),
    }))
}

/// What follows the value of a cookie that we give.
pub(super) fn attributes(
    wire: &route::HashCookie,
    at: &str,
    problems: &mut Problems,
) -> Option<String> {
    if !is_token(&wire.name) {
        let message = format!("`{}` is no cookie's name", wire.name);
        problems.add("cookie_invalid", format!("{at}.name"), message, TOKEN_HINT);
        return None;
    }
    let mut attributes = String::new();
    if let Some(ms) = wire.ttl_ms.filter(|ms| *ms > 0) {
        let _ = write!(attributes, "; Max-Age={}", ms.div_ceil(1_000));
    }
    if !wire.path.is_empty() {
        let _ = write!(attributes, "; Path={}", wire.path);
    }
    for (name, value) in &wire.attributes {
        let separator = if value.is_empty() { "" } else { "=" };
        let _ = write!(attributes, "; {name}{separator}{value}");
    }
    let sound = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
    };
    let names = wire.attributes.keys();
    if !sound(&wire.path)
        || !wire.attributes.values().all(|it| sound(it))
        || !names.clone().all(|it| is_token(it))
    {
        let message = "a cookie's path and attributes have no `;` and no control characters";
        let hint = "write for example attributes: {SameSite: Lax, Secure: \"\"}";
        problems.add("cookie_invalid", at, message, hint);
        return None;
    }
    Some(attributes)
}

#[cfg(test)]
#[path = "hash_on_tests.rs"]
mod tests;
