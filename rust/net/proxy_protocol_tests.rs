use super::*;

fn header(len: usize, ends: Option<(&str, &str)>) -> Parsed {
    Parsed::Header {
        len,
        source: ends.map(|(source, _)| source.parse().unwrap()),
        destination: ends.map(|(_, destination)| destination.parse().unwrap()),
    }
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut bytes = V2_MARK.to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(block.len()).unwrap().to_be_bytes());
    bytes.extend(block);
    bytes
}

fn tcp4(tlvs: &[u8]) -> Vec<u8> {
    let block = [&[10, 0, 0, 1, 10, 0, 0, 2, 0x1f, 0x90, 0, 80][..], tlvs].concat();
    v2(V2_PROXY, V2_TCP4, &block)
}

/// Whole: `expected`; every proper prefix: more is needed; what follows is not looked at.
fn assert_at_every_prefix(bytes: &[u8], expected: &Parsed) {
    for n in 0..bytes.len() {
        assert_eq!(parse(&bytes[..n]), Parsed::NeedMore, "{n} bytes");
    }
    assert_eq!(&parse(bytes), expected);
    let mut more = bytes.to_vec();
    more.extend(b"PROXY \r\n");
    assert_eq!(&parse(&more), expected);
}

#[test]
fn version_1_is_read() {
    for (line, ends) in [
        (
            "PROXY TCP4 10.0.0.1 10.0.0.2 8080 80\r\n",
            Some(("10.0.0.1:8080", "10.0.0.2:80")),
        ),
        (
            "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n",
            Some(("255.255.255.255:65535", "0.0.0.0:0")),
        ),
        (
            "PROXY TCP6 2001:db8::1 ::1 1 2\r\n",
            Some(("[2001:db8::1]:1", "[::1]:2")),
        ),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN ffff::1 whatever 1 2 3\r\n", None),
    ] {
        assert_at_every_prefix(line.as_bytes(), &header(line.len(), ends));
    }
}

#[test]
fn version_1_is_not_mended() {
    for line in [
        "PROXY \r\n",
        "PROXY  TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY TCP4 10.0.0.1  10.0.0.2 1 2\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 +1 2\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 65536 2\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2  2\r\n",
        "PROXY TCP4 010.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY TCP4 10.0.0 10.0.0.2 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY tcp4 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY UNKNOWN \u{80}\n",
    ] {
        assert!(
            matches!(parse(line.as_bytes()), Parsed::Refused(_)),
            "{line:?}"
        );
    }
    let endless = [V1_MARK, &[b'x'; MAX_V1]].concat();
    assert_eq!(parse(&endless[..MAX_V1 - 1]), Parsed::NeedMore);
    assert!(matches!(parse(&endless[..MAX_V1]), Parsed::Refused(_)));
}

#[test]
fn what_is_no_header_is_refused_at_once() {
    for bytes in [
        &b"G"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"PROXX",
        b"\r\n\r\n\0\r\nQUIX",
        b"\x16\x03",
    ] {
        assert!(matches!(parse(bytes), Parsed::Refused(_)), "{bytes:?}");
    }
}

#[test]
fn version_2_is_read() {
    let v4 = Some(("10.0.0.1:8080", "10.0.0.2:80"));
    assert_at_every_prefix(&tcp4(&[]), &header(28, v4));
    assert_at_every_prefix(&tcp4(&[4, 0, 2, 0, 0, 0xea, 0, 0]), &header(36, v4));
    let mut block = [0; 36];
    (block[15], block[31], block[33], block[35]) = (1, 2, 3, 4);
    assert_at_every_prefix(
        &v2(V2_PROXY, V2_TCP6, &block),
        &header(52, Some(("[::1]:3", "[::2]:4"))),
    );
    assert_at_every_prefix(&v2(V2_PROXY, V2_UNIX, &[b'/'; 216]), &header(232, None));
    assert_at_every_prefix(&v2(V2_PROXY, V2_UNSPECIFIED, &[]), &header(16, None));
    assert_at_every_prefix(&v2(V2_LOCAL, V2_UNSPECIFIED, &[]), &header(16, None));
    assert_at_every_prefix(&v2(V2_LOCAL, V2_TCP4, &[1, 2, 3]), &header(19, None));
}

#[test]
fn version_2_is_not_mended() {
    let refused = |bytes: &[u8], why: &str| {
        assert!(matches!(parse(bytes), Parsed::Refused(_)), "{why}");
    };
    refused(&v2(0x11, V2_TCP4, &[0; 12]), "version 1 in binary");
    refused(&v2(0x22, V2_TCP4, &[0; 12]), "unknown command");
    refused(&v2(V2_PROXY, 0x12, &[0; 12]), "datagrams");
    refused(&v2(V2_PROXY, 0x41, &[0; 12]), "unknown family");
    refused(&v2(V2_PROXY, V2_TCP4, &[0; 11]), "short for IPv4");
    refused(&v2(V2_PROXY, V2_TCP6, &[0; 35]), "short for IPv6");
    refused(&v2(V2_PROXY, V2_UNIX, &[0; 215]), "short for unix");
    refused(&tcp4(&[4]), "a TLV cut in its header");
    refused(&tcp4(&[4, 0]), "a TLV cut in its length");
    refused(&tcp4(&[4, 0, 1]), "a TLV cut in its value");
    refused(&tcp4(&[4, 0xff, 0xff, 0]), "a TLV longer than the header");
    refused(
        &tcp4(&[TLV_CRC32C, 0, 3, 0, 0, 0]),
        "a checksum of three bytes",
    );
    refused(&tcp4(&[TLV_CRC32C, 0, 4, 0, 0, 0, 0]), "a wrong checksum");
    let long = v2(V2_PROXY, V2_TCP4, &[4; MAX_HEADER]);
    refused(
        &long[..V2_FIXED],
        "a length beyond the bound, before it is read",
    );
}

#[test]
fn a_right_checksum_is_accepted() {
    let mut bytes = tcp4(&[TLV_CRC32C, 0, 4, 0, 0, 0, 0]);
    let at = bytes.len() - 4;
    let sum = crc32c_without(&bytes, at);
    bytes[at..].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(
        parse(&bytes),
        header(35, Some(("10.0.0.1:8080", "10.0.0.2:80")))
    );
    // The check value of CRC-32C (RFC 3720 B.4 uses the same polynomial), with no hole.
    assert_eq!(crc32c_without(b"123456789", usize::MAX - 4), 0xe306_9283);
}

#[test]
fn what_is_written_is_read_back() {
    let ends = [
        ("10.0.0.1:8080", "10.0.0.2:80", None),
        ("[2001:db8::1]:1", "[::1]:2", None),
        (
            "10.0.0.1:8080",
            "[::1]:80",
            Some(("[::ffff:10.0.0.1]:8080", "[::1]:80")),
        ),
        (
            "[::ffff:10.0.0.1]:8080",
            "10.0.0.2:80",
            Some(("10.0.0.1:8080", "10.0.0.2:80")),
        ),
    ];
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        for (source, destination, read) in ends {
            let mut out = Vec::new();
            let (from, to) = (source.parse().unwrap(), destination.parse().unwrap());
            write(version, Some(from), Some(to), &mut out);
            let expected = header(out.len(), Some(read.unwrap_or((source, destination))));
            assert_eq!(parse(&out), expected, "{version:?}");
        }
        let mut out = Vec::new();
        write(
            version,
            None,
            Some("10.0.0.2:80".parse().unwrap()),
            &mut out,
        );
        assert_eq!(parse(&out), header(out.len(), None));
    }
}
