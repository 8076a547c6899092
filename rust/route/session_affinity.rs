//! Which endpoint a request's session belongs to: the client carries its address.
//!
//! What it carries is looked up among the endpoints of the route's clusters and goes nowhere else, so
//! that a client can choose among those, and no more.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::RequestView;
use super::hash_on::{attributes, cookie_value};
use super::headers::HeaderEdit;
use super::rules::TOKEN_HINT;
use super::rules::is_token;
use crate::wire::Problems;
use crate::wire::route;

/// What no address is as long as, in base64: that of a unix socket has 108 bytes at most.
const NAME_MAX: usize = 256;

/// What carries the endpoint's name.
#[derive(Debug)]
pub struct SessionAffinity {
    carrier: Carrier,
    /// No other endpoint will do.
    pub strict: bool,
}

#[derive(Debug)]
enum Carrier {
    Cookie {
        name: Box<str>,
        attributes: Box<str>,
    },
    Field(Box<str>),
}

impl SessionAffinity {
    /// Compiles what the route at `at` says; `None` where it says nothing, or a problem was noted.
    pub(super) fn compile(
        route: &route::Route,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Arc<Self>> {
        let wire = route.session_affinity.as_ref()?;
        let at = format!("{at}.session_affinity");
        let carrier = match (&wire.cookie, &wire.header) {
            (Some(cookie), None) => Carrier::Cookie {
                name: cookie.name.as_str().into(),
                attributes: attributes(cookie, &format!("{at}.cookie"), problems)?.into(),
            },
            (None, Some(name)) if is_token(name) => {
                Carrier::Field(name.to_ascii_lowercase().into())
            }
            (None, Some(name)) => {
                let message = format!("`{name}` is no header's name");
                let at = format!("{at}.header");
                problems.add("header_invalid", at, message, TOKEN_HINT);
                return None;
            }
            (Some(_), Some(_)) | (None, None) => {
                let message = "a session is carried by a cookie or by a header";
                let hint = "keep one of cookie, header";
                problems.add("session_ambiguous", at, message, hint);
                return None;
            }
        };
        let strict = wire.strict;
        Some(Arc::new(Self { carrier, strict }))
    }

    /// The address that the request carries.
    pub fn named(&self, view: &RequestView<'_>) -> Option<String> {
        let carried = match &self.carrier {
            Carrier::Cookie { name, .. } => cookie_value(view, name),
            Carrier::Field(name) => view.values(name).next(),
        }?;
        if carried.len() > NAME_MAX {
            return None;
        }
        String::from_utf8(STANDARD.decode(carried).ok()?).ok()
    }

    /// What makes the client carry `address`.
    pub fn give(&self, address: &str) -> HeaderEdit {
        let value = STANDARD.encode(address);
        match &self.carrier {
            Carrier::Cookie { name, attributes } => {
                let cookie = format!("{name}={value}{attributes}");
                HeaderEdit::add("set-cookie", cookie.as_bytes())
            }
            Carrier::Field(name) => HeaderEdit::set(name, value.as_bytes()),
        }
    }
}

#[cfg(test)]
#[path = "session_affinity_tests.rs"]
mod tests;
