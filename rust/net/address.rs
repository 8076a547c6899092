//! Where something listens: an IP address and port, a unix socket, or a host name still to resolve.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A place to bind or to dial.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address and port.
    Ip(SocketAddr),
    /// A unix stream socket.
    Unix(PathBuf),
}

/// An address as a document writes it; host names are resolved later.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Written {
    /// Needs no resolution.
    Address(Address),
    /// A host name and port.
    Name(String, u16),
}

/// `sun_path` holds 108 bytes, its final NUL included.
const UNIX_PATH_MAX: usize = 107;

impl Written {
    /// Reads `127.0.0.1:80`, `[::1]:80`, `unix:/path` or `host.name:80`.
    ///
    /// # Errors
    /// Says in words what is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path).map(Self::Address);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Address(Address::Ip(address)));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err("no port; write host:port, [ipv6]:port or unix:/path");
        };
        let Ok(port) = port.parse::<u16>() else {
            return Err("the port is not a number from 0 to 65535");
        };
        if !is_host_name(host) {
            return Err("neither an IP address nor a host name; IPv6 needs brackets: [::1]:80");
        }
        Ok(Self::Name(host.to_ascii_lowercase(), port))
    }
}

fn unix(path: &str) -> Result<Address, &'static str> {
    if path.is_empty() || path.contains('\0') {
        return Err("an empty unix socket path; write unix:/run/name.sock");
    }
    if path.len() > UNIX_PATH_MAX {
        return Err("a unix socket path has at most 107 bytes");
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

/// RFC 1123 §2.1 names, underscores allowed as container networks use them.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // A name of digits and dots alone is a mistyped IPv4 address.
    name.len() <= 253
        && name.split('.').all(label)
        && name.bytes().any(|b| b.is_ascii_alphabetic() || b == b'_')
}

impl Address {
    /// The form that socket calls take.
    ///
    /// # Errors
    /// A unix path that doesn't fit.
    pub fn to_sock_addr(&self) -> std::io::Result<socket2::SockAddr> {
        match self {
            Self::Ip(address) => Ok((*address).into()),
            Self::Unix(path) => socket2::SockAddr::unix(path),
        }
    }

    /// The IP address and port, if it is one.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The path, if it is a unix socket.
    pub fn unix_path(&self) -> Option<&Path> {
        match self {
            Self::Ip(_) => None,
            Self::Unix(path) => Some(path),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => {
                write!(
                    f,
                    "unix:{}",
                    String::from_utf8_lossy(path.as_os_str().as_bytes())
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let ip = |s: &str| Written::Address(Address::Ip(s.parse().unwrap()));
        assert_eq!(Written::parse("127.0.0.1:80"), Ok(ip("127.0.0.1:80")));
        assert_eq!(Written::parse("[::1]:80"), Ok(ip("[::1]:80")));
        assert_eq!(
            Written::parse("unix:/run/a.sock"),
            Ok(Written::Address(Address::Unix("/run/a.sock".into())))
        );
        assert_eq!(
            Written::parse("Api.internal:80"),
            Ok(Written::Name("api.internal".into(), 80))
        );
    }

    #[test]
    fn refuses_what_is_neither() {
        for text in [
            "",
            "localhost",
            "127.0.0.1",
            "1.2.3:80",
            "::1:80",
            "a b:80",
            "x:70000",
            "unix:",
        ] {
            assert!(Written::parse(text).is_err(), "{text}");
        }
    }
}
