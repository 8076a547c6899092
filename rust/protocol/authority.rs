//! Host and port, as Host fields, absolute targets and CONNECT carry them.
//!
//! Accepted is a name of letters, digits and `-._~`, an IPv4 address or an IPv6 literal in
//! brackets, and a port 1 to 65535 without leading zeros. Userinfo, commas, escapes and blanks are
//! refused: they are how two readers come to see two hosts.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use super::error::HeadError;

/// The longest host name that DNS knows, with a final dot.
const MAX_HOST: usize = 254;

/// A host with an optional port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Authority<'b> {
    /// As it came; empty where HTTP/1.0 sent none.
    pub text: &'b str,
    /// Without port and final dot, in the case it came; an IPv6 literal keeps its brackets.
    pub host: &'b str,
    /// The port, where one was given.
    pub port: Option<u16>,
}

impl<'b> Authority<'b> {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`; nothing gives the empty authority.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, HeadError> {
        let text = std::str::from_utf8(bytes).map_err(|_| HeadError::Host)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => split_literal(text, rest)?,
            None => split_name(text)?,
        };
        Ok(Self {
            text,
            host,
            port: port.map(parse_port).transpose()?,
        })
    }

    /// The host in the one form that routes compare with. Case is left to whoever compares, who
    /// must ignore it; only an IPv6 literal in an unusual spelling is written anew.
    pub fn host_for_match(&self) -> Cow<'b, str> {
        let literal = self
            .host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        match literal {
            Some(address) => {
                let usual = format!("[{address}]");
                if usual == self.host {
                    Cow::Borrowed(self.host)
                } else {
                    Cow::Owned(usual)
                }
            }
            None => Cow::Borrowed(self.host),
        }
    }
}

/// The same for text from elsewhere, such as a configuration.
pub fn host_for_match(authority: &str) -> Result<Cow<'_, str>, HeadError> {
    Authority::parse(authority.as_bytes()).map(|authority| authority.host_for_match())
}

fn split_literal<'b>(
    text: &'b str,
    rest: &'b str,
) -> Result<(&'b str, Option<&'b str>), HeadError> {
    let (inner, after) = rest.split_once(']').ok_or(HeadError::Host)?;
    // A zone (`%eth0`) has no meaning beyond the sender's machine, and Ipv6Addr refuses it.
    inner.parse::<Ipv6Addr>().map_err(|_| HeadError::Host)?;
    let host = text.strip_suffix(after).ok_or(HeadError::Host)?;
    match after.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if after.is_empty() => Ok((host, None)),
        None => Err(HeadError::Host),
    }
}

fn split_name(text: &str) -> Result<(&str, Option<&str>), HeadError> {
    let end = text
        .bytes()
        .position(|byte| !is_host_byte(byte))
        .unwrap_or(text.len());
    let (name, after) = text.split_at_checked(end).ok_or(HeadError::Host)?;
    let host = name.strip_suffix('.').unwrap_or(name);
    // One final dot names the root; a second one would be another spelling of the same rule.
    if host.is_empty() || host.starts_with('.') || host.ends_with('.') || name.len() > MAX_HOST {
        return Err(HeadError::Host);
    }
    match after.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if after.is_empty() => Ok((host, None)),
        None => Err(HeadError::Host),
    }
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn parse_port(port: &str) -> Result<u16, HeadError> {
    // `parse` alone would take `+80` and `0080`.
    if port.starts_with('0') || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HeadError::Host);
    }
    port.parse().map_err(|_| HeadError::Host)
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
