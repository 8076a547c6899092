//! Who may ask: browsers can reach loopback, so a page from elsewhere must not get an answer.
//!
//! The one place where a request is let in before anything of it is looked at.

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{StatusCode, Uri, Version};

use super::reply::Reply;

/// What the check reads of a request.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) version: Version,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    /// The address that the connection arrived at.
    pub(super) local: IpAddr,
}

impl Caller<'_> {
    /// Refuses names that somebody else's DNS could point here (DNS rebinding), and pages of other
    /// origins.
    pub(super) fn check(&self) -> Result<(), Reply> {
        let forbidden = |why| Err(Reply::refusal(StatusCode::FORBIDDEN, why));
        let mut hosts = self.headers.get_all(header::HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() || (host.is_none() && self.version >= Version::HTTP_11) {
            let why = "a request has one Host header";
            return Err(Reply::refusal(StatusCode::BAD_REQUEST, why));
        }
        if host.is_some_and(|host| !self.ours(host.as_bytes())) {
            return forbidden("Host is neither localhost nor the address of this port");
        }
        // An absolute target overrides Host (RFC 9112 §3.2.2).
        let target = self.uri.authority();
        if target.is_some_and(|target| !self.ours(target.as_str().as_bytes())) {
            return forbidden("the target is neither localhost nor the address of this port");
        }
        let origins = self.headers.get_all(header::ORIGIN);
        if !origins.iter().all(|origin| same(origin, host)) {
            return forbidden("Origin is another site");
        }
        Ok(())
    }

    /// Whether `authority` names this machine in a way that no DNS has a part in.
    fn ours(&self, authority: &[u8]) -> bool {
        let Ok(authority) = Authority::try_from(authority) else {
            return false;
        };
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host();
        if host.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address = bare.unwrap_or(host).parse::<IpAddr>();
        address.is_ok_and(|address| {
            let address = address.to_canonical();
            address.is_loopback() || address == self.local.to_canonical()
        })
    }
}

/// Whether a page of `origin` came from `host` itself; `null` never did.
fn same(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let origin = origin.as_bytes();
    let site = origin
        .strip_prefix(b"http://")
        .or_else(|| origin.strip_prefix(b"https://"));
    site.is_some() && site == host.map(HeaderValue::as_bytes)
}
