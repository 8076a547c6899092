//! Host patterns and their index, most specific first.

use std::net::Ipv6Addr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Bytes of a host name (RFC 1123 §2.1, RFC 1035 §2.3.4); patterns can't be longer, and of a longer
/// host only so many bytes from its end are looked at.
const MAX_HOST: usize = 253;
/// Bytes of a label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// What a host is compared with; in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum HostPattern {
    /// `example.com`
    Exact(Box<[u8]>),
    /// `*.example.com` without `*.`: one label or more before it.
    Suffix(Box<[u8]>),
    /// `*`
    Any,
}

impl HostPattern {
    /// Reads `example.com`, `192.0.2.1`, `[2001:db8::1]`, `*.example.com` or `*`; else says what is
    /// wrong.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let lower = text.to_ascii_lowercase();
        if let Some(literal) = lower.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            return literal
                .parse::<Ipv6Addr>()
                .map(|_| Self::Exact(lower.as_bytes().into()))
                .map_err(|_| "no IPv6 address stands between the brackets");
        }
        if let Some(suffix) = lower.strip_prefix("*.") {
            check_name(suffix)?;
            return Ok(Self::Suffix(suffix.as_bytes().into()));
        }
        check_name(&lower)?;
        Ok(Self::Exact(lower.as_bytes().into()))
    }
}

/// Whether `text` is a host to be written, with a port or without; else says what is wrong.
pub(super) fn check_authority(text: &str) -> Result<(), &'static str> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with(['0', '+'])) {
        return Err("its port is none from 1 to 65535");
    }
    match HostPattern::parse(host)? {
        HostPattern::Exact(_) => Ok(()),
        HostPattern::Suffix(_) | HostPattern::Any => Err("`*` stands for no host"),
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > MAX_HOST {
        return Err("it is longer than 253 bytes");
    }
    if name.contains('*') {
        return Err("`*` may only stand for the first labels, as in `*.example.com`");
    }
    if name.contains(':') {
        return Err("a host pattern has no port; an IPv6 address stands in brackets");
    }
    if name.ends_with('.') {
        return Err("a trailing dot is not written; requests are compared without it");
    }
    if name
        .split('.')
        .any(|label| label.is_empty() || label.len() > MAX_LABEL)
    {
        return Err("each label between dots has 1 to 63 bytes");
    }
    // An underscore is no host name character, but service names have it.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !name.bytes().all(allowed) {
        return Err("only letters, digits, `-`, `_` and `.` are allowed; write IDNs as `xn--…`");
    }
    Ok(())
}

/// Values by host pattern.
#[derive(Debug)]
pub(super) struct HostIndex<T> {
    exact: HashMap<Box<[u8]>, T, RandomState>,
    suffix: HashMap<Box<[u8]>, T, RandomState>,
    any: Option<T>,
    longest_suffix: usize,
}

impl<T> HostIndex<T> {
    /// An empty index.
    pub(super) fn new() -> Self {
        Self {
            exact: HashMap::default(),
            suffix: HashMap::default(),
            any: None,
            longest_suffix: 0,
        }
    }

    /// The value of `pattern`, made where there is none yet.
    pub(super) fn entry(&mut self, pattern: &HostPattern, make: impl FnOnce() -> T) -> &mut T {
        match pattern {
            HostPattern::Exact(name) => self.exact.entry(name.clone()).or_insert_with(make),
            HostPattern::Suffix(name) => {
                self.longest_suffix = self.longest_suffix.max(name.len());
                self.suffix.entry(name.clone()).or_insert_with(make)
            }
            HostPattern::Any => self.any.get_or_insert_with(make),
        }
    }

    /// The first result of `test` over the values whose pattern matches `host`, most specific
    /// first.
    pub(super) fn find_map<'s, R>(
        &'s self,
        host: &str,
        test: impl FnMut(&'s T) -> Option<R>,
    ) -> Option<R> {
        let (cut, tail) = host
            .as_bytes()
            .split_at(host.len().saturating_sub(MAX_HOST));
        let mut lower = [0; MAX_HOST];
        if tail.iter().any(u8::is_ascii_uppercase)
            && let Some(lower) = lower.get_mut(..tail.len())
        {
            lower.copy_from_slice(tail);
            lower.make_ascii_lowercase();
            return self.descend(lower, cut.is_empty(), test);
        }
        self.descend(tail, cut.is_empty(), test)
    }

    /// `whole` tells whether bytes of the host were cut off before `host`.
    fn descend<'s, R>(
        &'s self,
        host: &[u8],
        whole: bool,
        mut test: impl FnMut(&'s T) -> Option<R>,
    ) -> Option<R> {
        if whole && let Some(found) = self.exact.get(host).and_then(&mut test) {
            return Some(found);
        }
        self.descend_suffixes(host, whole, &mut test)
            .or_else(|| self.any.as_ref().and_then(test))
    }

    fn descend_suffixes<'s, R>(
        &'s self,
        host: &[u8],
        whole: bool,
        test: &mut impl FnMut(&'s T) -> Option<R>,
    ) -> Option<R> {
        if self.suffix.is_empty() {
            return None;
        }
        // Where only a longer suffix than any pattern would begin, nothing needs a lookup.
        let skipped = host.len().saturating_sub(self.longest_suffix + 1);
        memchr::memchr_iter(b'.', host)
            .skip_while(|dot| *dot < skipped)
            // The wildcard stands for one label at least.
            .filter(|dot| *dot > 0 || !whole)
            .filter_map(|dot| self.suffix.get(host.get(dot + 1..)?))
            .find_map(test)
    }
}
