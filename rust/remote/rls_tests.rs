use super::*;

#[test]
fn a_question_is_a_domain_and_one_descriptor() {
    let question = Question {
        domain: "web",
        entries: &[("generic_key", b"all"), ("x-user", b"\xff")],
    };
    let mut out = Vec::new();
    question.write(&mut out);
    let first = b"\x0a\x12\x0a\x0bgeneric_key\x12\x03all";
    let second = b"\x0a\x0d\x0a\x06x-user\x12\x03\xef\xbf\xbd";
    let expected = [&b"\x0a\x03web\x12\x23"[..], first, second, b"\x18\x01"].concat();
    assert_eq!(out, expected);
}

#[test]
fn an_answer_tells_limit_fields_and_body() {
    // As Google's library writes it; a unit, a name, a code and a duration's nanos are there too.
    let bytes = [
        &b"\x08\x02"[..],
        b"\x12\x14\x08\x02\x12\x08\x08\xac\x02\x10\x02\x1a\x01n\x18\x07\x22\x04\x08<\x10\x01",
        b"\x1a\x08\x0a\x03X-A\x12\x01b",
        b"\x1a\x08\x0a\x03a b\x12\x01b",
        b"*\x04body",
    ]
    .concat();
    let answer = Answer::read(&bytes).unwrap();
    let told = Told {
        limit: 300,
        remaining: 7,
        reset: 60,
    };
    assert_eq!(answer.told, Some(told));
    assert!(answer.over);
    assert_eq!(answer.fields, [(b"x-a".to_vec(), b"b".to_vec())]);
    assert_eq!(answer.body, b"body");
    assert_eq!(Answer::read(b""), Ok(Answer::default()));
    assert_eq!(
        Answer::read(b"\x08\x01\x09........\x35...."),
        Ok(Answer::default())
    );
}

#[test]
fn what_is_no_message_is_told() {
    let cases: [&[u8]; 6] = [
        b"\x08",
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x12\x05a",
        b"\x0b",
        b"\x09abc",
        b"\x12\x02\x12\x05",
    ];
    for bytes in cases {
        assert_eq!(Answer::read(bytes), Err(Malformed), "{bytes:?}");
    }
}
