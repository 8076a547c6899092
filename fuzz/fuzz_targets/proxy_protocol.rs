//! PROXY protocol: no bytes crash it, more bytes never unsay a verdict, what it read it writes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::net::proxy_protocol::{MAX_HEADER, Parsed, parse, write};
use meshcore::wire::cluster::ProxyProtocol;

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    match &whole {
        Parsed::NeedMore => assert!(bytes.len() < MAX_HEADER),
        Parsed::Header { len, .. } => assert!(*len <= bytes.len()),
        Parsed::Refused(_) => {}
    }
    let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
    match parse(half) {
        Parsed::NeedMore => {}
        said => assert_eq!(said, whole),
    }
    if let Parsed::Header {
        source: Some(source),
        destination: Some(destination),
        ..
    } = whole
    {
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            let mut out = Vec::new();
            write(version, Some(source), Some(destination), &mut out);
            assert!(matches!(parse(&out), Parsed::Header { len, .. } if len == out.len()));
        }
    }
});
