use super::*;

#[test]
fn a_command_is_a_list_of_texts() {
    let mut out = Vec::new();
    write(&mut out, &[b"GET", b"a\r\nb"]);
    assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n");
}

#[test]
fn replies_are_read_in_any_fragments() {
    let cases: [(&[u8], Reply); 8] = [
        (b"+OK\r\n", Reply::Text(b"OK".to_vec())),
        (b"-NOSCRIPT No\r\n", Reply::Error(b"NOSCRIPT No".to_vec())),
        (b":-17\r\n", Reply::Integer(-17)),
        (b"$4\r\na\r\nb\r\n", Reply::Text(b"a\r\nb".to_vec())),
        (b"$0\r\n\r\n", Reply::Text(Vec::new())),
        (b"$-1\r\n", Reply::Nothing),
        (b"*-1\r\n", Reply::Nothing),
        (
            b"*3\r\n:1\r\n$1\r\nx\r\n$-1\r\n",
            Reply::List(vec![
                Reply::Integer(1),
                Reply::Text(b"x".to_vec()),
                Reply::Nothing,
            ]),
        ),
    ];
    for (bytes, reply) in cases {
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Ok(None), "{end} of {bytes:?}");
        }
        let more = [bytes, b"+next"].concat();
        assert_eq!(read(&more), Ok(Some((reply, bytes.len()))));
    }
}

#[test]
fn what_is_no_reply_is_told() {
    let long = vec![b'+'; TEXT_BYTES_MAX + 1];
    let cases: [&[u8]; 11] = [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n",
        b"+a\rb\r\n",
        b":x\r\n",
        b":99999999999999999999\r\n",
        b"$-2\r\n",
        b"$5000\r\n",
        b"$1\r\nxyz",
        b"*17\r\n",
        b"*1\r\n*1\r\n:1\r\n",
        &long,
    ];
    for bytes in cases {
        assert_eq!(read(bytes), Err(Malformed), "{bytes:?}");
    }
}
