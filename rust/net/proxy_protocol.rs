//! The PROXY protocol, versions 1 and 2: who the client is, told by the proxy before us.
//!
//! Pure; strict. Whatever the specification doesn't allow is refused, and the connection with it:
//! a header that two proxies read differently lets a client choose its own address (HT-4).

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::wire::cluster::ProxyProtocol;

/// What a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// It may become a header; never for `MAX_HEADER` bytes and more.
    NeedMore,
    /// A header.
    Header {
        /// Its length; the connection's own bytes follow.
        len: usize,
        /// The client; `None` where the header doesn't name one.
        source: Option<SocketAddr>,
        /// What the client had connected to; `None` where the header doesn't name it.
        destination: Option<SocketAddr>,
    },
    /// Why it is none.
    Refused(&'static str),
}

/// No header is longer than this, whatever its version. Real ones, with TLVs, stay below 1 KiB.
pub const MAX_HEADER: usize = 4096;

/// Version 1 §2.1: 107 bytes with the CRLF.
const MAX_V1: usize = 107;
const V1_MARK: &[u8] = b"PROXY ";
const V2_MARK: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Mark, version and command, family, length.
const V2_FIXED: usize = 16;
const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;
const V2_UNSPECIFIED: u8 = 0x00;
const V2_TCP4: u8 = 0x11;
const V2_TCP6: u8 = 0x21;
const V2_UNIX: u8 = 0x31;
const V2_UNIX_BLOCK: usize = 2 * 108;
const TLV_HEADER: usize = 3;
const TLV_CRC32C: u8 = 0x03;

/// Source and destination, where they are told.
type Ends = Option<(SocketAddr, SocketAddr)>;

/// Reads the header at the start of `bytes`.
pub fn parse(bytes: &[u8]) -> Parsed {
    if is_start(bytes, V2_MARK) {
        parse_v2(bytes)
    } else if is_start(bytes, V1_MARK) {
        parse_v1(bytes)
    } else {
        Parsed::Refused("the connection doesn't begin with a PROXY protocol header")
    }
}

/// Whether `bytes` begin with `mark`, as far as they go.
fn is_start(bytes: &[u8], mark: &[u8]) -> bool {
    let n = bytes.len().min(mark.len());
    bytes.get(..n) == mark.get(..n)
}

fn outcome(len: usize, ends: Result<Ends, &'static str>) -> Parsed {
    match ends {
        Ok(ends) => Parsed::Header {
            len,
            source: ends.map(|(source, _)| source),
            destination: ends.map(|(_, destination)| destination),
        },
        Err(reason) => Parsed::Refused(reason),
    }
}

fn parse_v1(bytes: &[u8]) -> Parsed {
    let head = bytes.get(..MAX_V1).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', head) else {
        if bytes.len() >= MAX_V1 {
            return Parsed::Refused("a version 1 header longer than 107 bytes");
        }
        return Parsed::NeedMore;
    };
    let line = head.get(..end).unwrap_or_default();
    let ends = match line.strip_suffix(b"\r").map(std::str::from_utf8) {
        Some(Ok(line)) => v1_ends(line),
        _ => Err("a version 1 header that doesn't end in CR LF, or isn't ASCII"),
    };
    outcome(end + 1, ends)
}

fn v1_ends(line: &str) -> Result<Ends, &'static str> {
    const ADDRESS: &str = "a bad address in a version 1 header";
    const PORT: &str = "a bad port in a version 1 header";
    let mut words = line.split(' ');
    let (_, family) = (words.next(), words.next());
    let is_v4 = match family {
        // What follows is to be ignored (§2.1).
        Some("UNKNOWN") => return Ok(None),
        Some("TCP4") => true,
        Some("TCP6") => false,
        _ => return Err("an unknown family in a version 1 header"),
    };
    let mut ip = || {
        let word = words.next()?;
        if is_v4 {
            word.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
        } else {
            word.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
    };
    let (source, destination) = (ip().ok_or(ADDRESS)?, ip().ok_or(ADDRESS)?);
    let mut port = || decimal_port(words.next()?);
    let (from, to) = (port().ok_or(PORT)?, port().ok_or(PORT)?);
    if words.next().is_some() {
        return Err("words after the ports of a version 1 header");
    }
    Ok(Some((
        SocketAddr::new(source, from),
        SocketAddr::new(destination, to),
    )))
}

/// Digits only, no sign, no leading zero.
fn decimal_port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|b| b.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    plain.then(|| word.parse().ok()).flatten()
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    let Some(fixed) = bytes.get(V2_MARK.len()..V2_FIXED) else {
        return Parsed::NeedMore;
    };
    let &[command, family, high, low] = fixed else {
        return Parsed::NeedMore;
    };
    if command != V2_LOCAL && command != V2_PROXY {
        return Parsed::Refused("an unknown version or command in a version 2 header");
    }
    let len = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if len > MAX_HEADER {
        return Parsed::Refused("a version 2 header longer than 4 KiB");
    }
    let Some(header) = bytes.get(..len) else {
        return Parsed::NeedMore;
    };
    let block = header.get(V2_FIXED..).unwrap_or_default();
    let ends = if command == V2_LOCAL {
        // The proxy's own connection, a health check for example; the block is to be ignored.
        Ok(None)
    } else {
        v2_ends(family, block).and_then(|(ends, tlvs)| check_tlvs(tlvs, header).map(|()| ends))
    };
    outcome(len, ends)
}

/// The addresses, and the TLVs that follow them.
fn v2_ends(family: u8, block: &[u8]) -> Result<(Ends, &[u8]), &'static str> {
    const SHORT: &str = "a version 2 header too short for its addresses";
    match family {
        V2_UNSPECIFIED => Ok((None, block)),
        V2_UNIX => {
            let tlvs = block.get(V2_UNIX_BLOCK..).ok_or(SHORT)?;
            Ok((None, tlvs))
        }
        V2_TCP4 => {
            let (ends, tlvs) = tcp_ends::<4>(block).ok_or(SHORT)?;
            Ok((Some(ends), tlvs))
        }
        V2_TCP6 => {
            let (ends, tlvs) = tcp_ends::<16>(block).ok_or(SHORT)?;
            Ok((Some(ends), tlvs))
        }
        _ => Err("a family in a version 2 header that is no stream"),
    }
}

/// Two addresses of `N` bytes, two ports, the rest.
fn tcp_ends<const N: usize>(block: &[u8]) -> Option<((SocketAddr, SocketAddr), &[u8])>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = block.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let (to, rest) = rest.split_first_chunk::<2>()?;
    let end = |ip: &[u8; N], port: &[u8; 2]| {
        SocketAddr::new(IpAddr::from(*ip), u16::from_be_bytes(*port))
    };
    Some(((end(source, from), end(destination, to)), rest))
}

/// TLVs must fill the block exactly; a checksum must be right (§2.2.4).
fn check_tlvs(tlvs: &[u8], header: &[u8]) -> Result<(), &'static str> {
    const CUT: &str = "a version 2 header whose TLVs don't fit";
    let mut rest = tlvs;
    while !rest.is_empty() {
        let (&[kind, high, low], after) = rest.split_first_chunk::<TLV_HEADER>().ok_or(CUT)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, after) = after.split_at_checked(length).ok_or(CUT)?;
        if kind == TLV_CRC32C {
            let at = header.len() - after.len() - length;
            let told: [u8; 4] = value.try_into().map_err(|_| CUT)?;
            if crc32c_without(header, at) != u32::from_be_bytes(told) {
                return Err("a version 2 header with a wrong checksum");
            }
        }
        rest = after;
    }
    Ok(())
}

/// CRC-32C of `header` with the four bytes at `hole` taken as zero. Bit by bit: a header comes
/// once a connection and rarely with a checksum.
fn crc32c_without(header: &[u8], hole: usize) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = u32::MAX;
    for (at, byte) in header.iter().enumerate() {
        let byte = if (hole..hole + 4).contains(&at) {
            0
        } else {
            *byte
        };
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// Appends a header to `out`. An unknown end makes both unknown; where one is IPv4 and the other
/// IPv6, both are written as IPv6.
pub fn write(
    version: ProxyProtocol,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
    out: &mut Vec<u8>,
) {
    let ends = source.zip(destination).map(|(source, destination)| {
        let ips = (source.ip().to_canonical(), destination.ip().to_canonical());
        let ips = match ips {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => ips,
            (source, destination) => (mapped(source), mapped(destination)),
        };
        (
            SocketAddr::new(ips.0, source.port()),
            SocketAddr::new(ips.1, destination.port()),
        )
    });
    match version {
        ProxyProtocol::V1 => write_v1(ends, out),
        ProxyProtocol::V2 => write_v2(ends, out),
    }
}

fn mapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V6(ip.to_ipv6_mapped()),
        IpAddr::V6(_) => ip,
    }
}

fn write_v1(ends: Ends, out: &mut Vec<u8>) {
    let Some((source, destination)) = ends else {
        out.extend_from_slice(b"PROXY UNKNOWN\r\n");
        return;
    };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    // Writing to a Vec doesn't fail.
    let _ = write!(
        out,
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port(),
    );
}

fn write_v2(ends: Ends, out: &mut Vec<u8>) {
    out.extend_from_slice(V2_MARK);
    match ends {
        Some((SocketAddr::V4(source), SocketAddr::V4(destination))) => {
            out.extend_from_slice(&[V2_PROXY, V2_TCP4, 0, 12]);
            out.extend_from_slice(&source.ip().octets());
            out.extend_from_slice(&destination.ip().octets());
        }
        Some((SocketAddr::V6(source), SocketAddr::V6(destination))) => {
            out.extend_from_slice(&[V2_PROXY, V2_TCP6, 0, 36]);
            out.extend_from_slice(&source.ip().octets());
            out.extend_from_slice(&destination.ip().octets());
        }
        _ => {
            out.extend_from_slice(&[V2_PROXY, V2_UNSPECIFIED, 0, 0]);
            return;
        }
    }
    for end in ends
        .into_iter()
        .flat_map(|(source, destination)| [source, destination])
    {
        out.extend_from_slice(&end.port().to_be_bytes());
    }
}

#[cfg(test)]
#[path = "proxy_protocol_tests.rs"]
mod tests;
