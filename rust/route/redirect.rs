//! Redirects: where a client is sent.

use super::RequestView;
use super::rewrite::PathRewrite;
use super::rewrite::TooLong;
use super::rewrite::checked_host;
use super::rewrite::is_printable;
use crate::wire::Problems;
use crate::wire::route;
use crate::wire::route::PathMatch;

const CODES: [u16; 5] = [301, 302, 303, 307, 308];
const CODE: u16 = 301;

/// Where a client is sent.
#[derive(Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    scheme: Option<Scheme>,
    host: Option<Box<str>>,
    port: Option<u16>,
    path: Option<PathRewrite>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn of(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Redirect {
    /// Compiles what stands at `at`, for a route that matches `path`; `None` when it noted a problem.
    pub(super) fn compile(
        wire: &route::Redirect,
        path: Option<&PathMatch>,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let status = wire.code.unwrap_or(CODE);
        let scheme = wire.scheme.as_deref().map(|text| (text, Scheme::of(text)));
        if !CODES.contains(&status) {
            let message = format!("{status} is no code of a redirect");
            let hint = "write 301, 302, 303, 307 or 308";
            problems.add("redirect_code_invalid", format!("{at}.code"), message, hint);
            return None;
        }
        if let Some((text, None)) = scheme {
            let message = format!("`{text}` is no scheme that a redirect may name");
            problems.add(
                "scheme_invalid",
                format!("{at}.scheme"),
                message,
                "write http or https",
            );
            return None;
        }
        let elsewhere = wire.scheme.is_some() || wire.host.is_some() || wire.port.is_some();
        if !elsewhere && wire.path.is_none() && wire.prefix.is_none() {
            let message = "a redirect that changes nothing would be followed forever";
            let hint = "write at least one of scheme, host, port, path, prefix";
            problems.add("redirect_empty", at, message, hint);
            return None;
        }
        let host = match &wire.host {
            Some(host) => Some(checked_host(host, &format!("{at}.host"), problems)?),
            None => None,
        };
        Some(Self {
            status,
            scheme: scheme.and_then(|(_, scheme)| scheme),
            host,
            port: wire.port.filter(|port| *port != 0),
            path: match Self::path(wire, path, at, problems) {
                Path::Kept => None,
                Path::Made(made) => Some(made),
                Path::Refused => return None,
            },
        })
    }

    fn path(
        wire: &route::Redirect,
        matched: Option<&PathMatch>,
        at: &str,
        problems: &mut Problems,
    ) -> Path {
        let made = match (&wire.path, &wire.prefix) {
            (None, None) => return Path::Kept,
            (Some(_), Some(_)) => {
                let message = "a path is replaced in one way";
                problems.add("rewrite_ambiguous", at, message, "keep path or prefix");
                None
            }
            (Some(path), None) => whole(path, &format!("{at}.path"), problems),
            (None, Some(with)) => {
                PathRewrite::prefix(with, matched, &format!("{at}.prefix"), problems)
            }
        };
        made.map_or(Path::Refused, Path::Made)
    }

    /// The value of Location. Absolute, but for a client that has named no host.
    ///
    /// # Errors
    /// The path would be too long.
    pub fn location(&self, view: &RequestView<'_>) -> Result<String, TooLong> {
        let scheme = self.scheme.or_else(|| Scheme::of(view.scheme));
        let scheme = scheme.unwrap_or(Scheme::Http);
        let authority = self.host.as_deref().unwrap_or(view.authority);
        let (host, port) = split_port(authority);
        let port = self.port.or(port).filter(|port| *port != scheme.port());
        let mut location = String::new();
        if !host.is_empty() {
            location.push_str(scheme.as_str());
            location.push_str("://");
            location.push_str(host);
            if let Some(port) = port {
                location.push(':');
                location.push_str(&port.to_string());
            }
        }
        let path = match &self.path {
            Some(rewrite) if view.path.starts_with('/') => rewrite.apply(view.path)?,
            _ => view.path.to_owned(),
        };
        location.push_str(&path);
        if let Some(query) = view.query.filter(|_| !path.contains('?')) {
            location.push('?');
            location.push_str(query);
        }
        Ok(location)
    }
}

/// What becomes of the path.
enum Path {
    Kept,
    Made(PathRewrite),
    Refused,
}

/// Unlike a rewritten path it may bring its own query.
fn whole(path: &str, at: &str, problems: &mut Problems) -> Option<PathRewrite> {
    if path.starts_with('/') && is_printable(path) && !path.contains('#') {
        return Some(PathRewrite::Whole(path.into()));
    }
    let message = format!("`{path}` is no path with or without a query");
    problems.add(
        "path_invalid",
        at,
        message,
        "write `/` and what follows it, percent-encoded",
    );
    None
}

/// `host:port` or `[v6]:port` apart.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

#[cfg(test)]
#[path = "redirect_tests.rs"]
mod tests;
