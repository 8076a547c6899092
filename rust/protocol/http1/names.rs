//! The field names that mean something to a proxy.

/// What a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// Passes untouched.
    Other,
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    /// Meant for one connection only: Keep-Alive, Proxy-Connection, HTTP2-Settings.
    HopByHop,
    Te,
    Trailer,
    Upgrade,
    Expect,
    UserAgent,
    ForwardedFor,
    ForwardedProto,
    /// Others that only a trusted proxy may set.
    Forwarded,
    RequestId,
    Authorization,
    Server,
    Date,
    ContentType,
    GrpcTimeout,
}

impl Name {
    /// Classifies without case. Lengths and first letters decide first: most names cost one
    /// comparison or none.
    #[inline]
    pub(crate) fn of(name: &[u8]) -> Self {
        let [first, ..] = name else {
            return Self::Other;
        };
        let first = first | 0x20;
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match (name.len(), first) {
            (2, b't') if is(b"te") => Self::Te,
            (4, b'h') if is(b"host") => Self::Host,
            (4, b'd') if is(b"date") => Self::Date,
            (6, b'e') if is(b"expect") => Self::Expect,
            (6, b's') if is(b"server") => Self::Server,
            (7, b'u') if is(b"upgrade") => Self::Upgrade,
            (7, b't') if is(b"trailer") => Self::Trailer,
            (9, b'f') if is(b"forwarded") => Self::Forwarded,
            (10, b'c') if is(b"connection") => Self::Connection,
            (10, b'u') if is(b"user-agent") => Self::UserAgent,
            (10, b'k') if is(b"keep-alive") => Self::HopByHop,
            (12, b'c') if is(b"content-type") => Self::ContentType,
            (12, b'x') if is(b"x-request-id") => Self::RequestId,
            (12, b'g') if is(b"grpc-timeout") => Self::GrpcTimeout,
            (13, b'a') if is(b"authorization") => Self::Authorization,
            (14, b'c') if is(b"content-length") => Self::ContentLength,
            (14, b'h') if is(b"http2-settings") => Self::HopByHop,
            (15, b'x') if is(b"x-forwarded-for") => Self::ForwardedFor,
            (16, b'p') if is(b"proxy-connection") => Self::HopByHop,
            (17, b't') if is(b"transfer-encoding") => Self::TransferEncoding,
            (17, b'x') if is(b"x-forwarded-proto") => Self::ForwardedProto,
            _ => Self::by_prefix(name),
        }
    }

    /// HT-1: what would let a client speak as if it were a proxy.
    #[inline]
    fn by_prefix(name: &[u8]) -> Self {
        let prefix: &[u8] = match name {
            [b'x' | b'X', b'-', b'f' | b'F', ..] => b"x-forwarded-",
            [b'x' | b'X', b'-', b'e' | b'E', ..] => b"x-envoy-",
            [b'x' | b'X', b'-', b'm' | b'M', ..] => b"x-meshcore-",
            [b'l' | b'L', ..] => b"l5d-",
            _ => return Self::Other,
        };
        let begins = name.get(..prefix.len());
        if begins.is_some_and(|begins| begins.eq_ignore_ascii_case(prefix)) {
            Self::Forwarded
        } else {
            Self::Other
        }
    }

    /// What a name with underscores means to a server that reads `_` as `-`, as CGI made usual.
    pub(crate) fn of_alias(name: &[u8]) -> Self {
        // Longer than every known name and prefix; what is cut can't change the meaning.
        let mut dashed = [0; 32];
        for (to, from) in dashed.iter_mut().zip(name) {
            *to = if *from == b'_' { b'-' } else { *from };
        }
        let length = name.len().min(dashed.len());
        Self::of(dashed.get(..length).unwrap_or_default())
    }

    /// FR-21: whether Connection may not name it away, because we or the upstream rely on it.
    pub(crate) const fn is_protected(self) -> bool {
        self.is_ours() && !matches!(self, Self::UserAgent | Self::HopByHop)
    }

    /// Whether a proxy has a say in it; the others pass, though we may look at some.
    pub(crate) const fn is_ours(self) -> bool {
        !matches!(self, Self::Other | Self::ContentType | Self::GrpcTimeout)
    }
}

/// RFC 9110 §6.5.1: fields that frame, route, authenticate or say how to read the content have no
/// place in trailers. So has no name that a server could read as another one.
pub(crate) fn is_forbidden_trailer(name: &[u8]) -> bool {
    const FORBIDDEN: [&[u8]; 21] = [
        b"age",
        b"cache-control",
        b"content-encoding",
        b"content-location",
        b"content-range",
        b"content-type",
        b"cookie",
        b"expires",
        b"location",
        b"max-forwards",
        b"origin",
        b"pragma",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"range",
        b"referer",
        b"retry-after",
        b"set-cookie",
        b"vary",
        b"via",
        b"www-authenticate",
    ];
    Name::of(name).is_ours()
        || name.contains(&b'_')
        || name
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"if-"))
        || FORBIDDEN
            .into_iter()
            .any(|known| name.eq_ignore_ascii_case(known))
}

/// RFC 9110 §5.6.2.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A token of at least one byte.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// RFC 9110 §5.5: what a value may hold.
pub(crate) const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The elements of a comma-separated list, without blanks around them; empty ones are left out.
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
        .map(trim_blanks)
        .filter(|element| !element.is_empty())
}

/// Without spaces and tabs at both ends.
pub(crate) fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
