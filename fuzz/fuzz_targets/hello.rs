//! ClientHello sniffing: no bytes crash it, more bytes never unsay a verdict, names are host names.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::tls::hello::{MAX_SNIFFED, Sniffed, sniff};

fuzz_target!(|bytes: &[u8]| {
    let whole = sniff(bytes);
    assert!(whole != Sniffed::NeedMore || bytes.len() < MAX_SNIFFED);
    if let Sniffed::Hello(hello) = &whole {
        for name in hello.sni.iter() {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase())
            );
        }
    }
    let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
    match sniff(half) {
        Sniffed::NeedMore => {}
        said => assert_eq!(said, whole),
    }
});
