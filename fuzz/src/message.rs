//! What a message says, and what of it has to be the same on both sides of a proxy.

use std::collections::BTreeMap;
use std::fmt;

use crate::http1::is_token;
use crate::stage::{CLIENT_IP, PSEUDONYM};

/// Names and values as they came.
pub type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// Lower-case names to values in order.
pub type Fields = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

/// A request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// GET for an extended CONNECT.
    pub method: Vec<u8>,
    /// Host, or what stands for it.
    pub authority: Vec<u8>,
    /// Path and query.
    pub path: Vec<u8>,
    /// End to end.
    pub fields: Fields,
    /// The whole body.
    pub body: Vec<u8>,
    /// Those that may pass.
    pub trailers: Fields,
}

/// A final response.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// Three digits.
    pub status: u16,
    /// End to end.
    pub fields: Fields,
    /// The whole body.
    pub body: Vec<u8>,
    /// Those that may pass.
    pub trailers: Fields,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [method, authority, path] = [&self.method, &self.authority, &self.path].map(text);
        writeln!(f, "{method} {authority} {path}")?;
        rest(f, &self.fields, &self.body, &self.trailers)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        rest(f, &self.fields, &self.body, &self.trailers)
    }
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().escape_ascii().to_string()
}

fn rest(
    f: &mut fmt::Formatter<'_>,
    fields: &Fields,
    body: &[u8],
    trailers: &Fields,
) -> fmt::Result {
    for (name, values) in fields {
        let values: Vec<_> = values.iter().map(text).collect();
        writeln!(f, "  {}: {values:?}", text(name))?;
    }
    writeln!(f, "  {:?}", text(body))?;
    for (name, values) in trailers {
        let values: Vec<_> = values.iter().map(text).collect();
        writeln!(f, "  behind it {}: {values:?}", text(name))?;
    }
    Ok(())
}

/// Fields of one connection, or that frame a message.
const HOP_BY_HOP: [&[u8]; 9] = [
    b"connection",
    b"content-length",
    b"http2-settings",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"transfer-encoding",
    b"upgrade",
    b"sec-websocket-key",
];

/// What a client may not say of itself, what stands elsewhere in HTTP/2, and what we write anew.
const REWRITTEN: [&[u8]; 5] = [
    b"expect",
    b"forwarded",
    b"grpc-timeout",
    b"host",
    b"x-request-id",
];

const PROXIES: [&[u8]; 4] = [b"x-forwarded-", b"x-envoy-", b"x-meshcore-", b"l5d-"];

/// What Connection can't name away beside these.
const PROTECTED: [&[u8]; 4] = [b"authorization", b"date", b"server", b"trailer"];

/// What has no place in trailers beside these (RFC 9110 §6.5.1).
const NO_TRAILERS: &str = "age authorization cache-control content-encoding content-location \
    content-range content-type cookie date expect expires forwarded host location max-forwards \
    origin pragma proxy-authenticate proxy-authorization range referer retry-after server \
    set-cookie trailer user-agent vary via www-authenticate x-request-id";

/// Whether only a proxy may say it.
fn is_proxys(name: &[u8]) -> bool {
    PROXIES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_rewritten(name: &[u8]) -> bool {
    REWRITTEN.contains(&name) || is_proxys(name)
}

/// Without blanks around it.
pub fn trimmed(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The values of a name, in order.
pub fn values<'l>(lines: &'l Lines, name: &str) -> Vec<&'l [u8]> {
    lines
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| trimmed(value))
        .collect()
}

/// The lower-case elements of all lists of a name.
pub fn elements(lines: &Lines, name: &str) -> Vec<Vec<u8>> {
    values(lines, name)
        .iter()
        .flat_map(|list| list.split(|byte| *byte == b','))
        .map(|element| trimmed(element).to_ascii_lowercase())
        .filter(|element| !element.is_empty())
        .collect()
}

fn grouped(lines: &Lines) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in lines {
        let values = fields.entry(name.to_ascii_lowercase()).or_default();
        values.push(trimmed(value).to_vec());
    }
    fields
}

fn without_connection(lines: &Lines) -> Fields {
    let mut fields = grouped(lines);
    for name in elements(lines, "connection") {
        let kept = is_rewritten(&name) || PROTECTED.contains(&&*name);
        if !kept {
            fields.remove(&name);
        }
    }
    fields.retain(|name, _| !HOP_BY_HOP.contains(&&**name));
    fields
}

/// What of a request's fields the other side has to see.
pub fn of_request(lines: &Lines) -> Fields {
    let mut fields = without_connection(lines);
    fields.retain(|name, _| !is_rewritten(name));
    if let Some(crumbs) = fields.get_mut(&b"cookie"[..]) {
        // In HTTP/2 a cookie may come in pieces (RFC 9113 §8.2.3).
        crumbs.retain(|crumb| !crumb.is_empty());
        *crumbs = vec![crumbs.join(&b"; "[..])];
    }
    fields
}

/// The same of a response's.
pub fn of_response(lines: &Lines) -> Fields {
    without_connection(lines)
}

/// The trailers that may pass.
pub fn of_trailers(lines: &Lines) -> Fields {
    let mut fields = grouped(lines);
    fields.retain(|name, _| !is_no_trailer(name));
    fields
}

/// Whether it has no place in trailers.
pub fn is_no_trailer(name: &[u8]) -> bool {
    let listed = NO_TRAILERS.split(' ').any(|known| known.as_bytes() == name);
    listed
        || HOP_BY_HOP.contains(&name) && name != b"sec-websocket-key"
        || is_proxys(name)
        || name.starts_with(b"if-")
        // What some server reads as another name, and what is none.
        || name.contains(&b'_')
        || !is_token(name)
}

/// Takes away what the proxy has to have added, as the last of its name.
///
/// # Panics
/// When it isn't there.
pub fn take_via(fields: &mut Fields) {
    let all = fields.get_mut(&b"via"[..]).expect("no Via");
    let ours = all.pop().expect("no Via");
    assert!(ours.ends_with(format!(" {PSEUDONYM}").as_bytes()), "Via");
    if all.is_empty() {
        fields.remove(&b"via"[..]);
    }
}

/// What an upstream may rely on, whatever the client wrote (HT-1).
///
/// # Panics
/// When it can't.
pub fn check_trusted(lines: &Lines) {
    assert_eq!(values(lines, "x-forwarded-for"), [CLIENT_IP.as_bytes()]);
    assert_eq!(values(lines, "x-forwarded-proto"), [b"http"]);
    assert_eq!(values(lines, "x-request-id").len(), 1);
    for (name, _) in lines {
        let name = name.to_ascii_lowercase();
        let ours = [&b"x-forwarded-for"[..], b"x-forwarded-proto"].contains(&&*name);
        assert!(
            ours || !is_proxys(&name) && name != b"forwarded",
            "{lines:?}"
        );
    }
    let te = elements(lines, "te");
    assert!(te.is_empty() || te == [b"trailers"], "TE: {te:?}");
}
