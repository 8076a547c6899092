use super::{Status, answer, question};

#[test]
fn questions_are_framed() {
    assert_eq!(question(""), [0, 0, 0, 0, 0]);
    assert_eq!(question("a.B"), [0, 0, 0, 0, 5, 0x0A, 3, b'a', b'.', b'B']);
    let long = question(&"x".repeat(300));
    assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0A, 0xAC, 2]);
    assert_eq!(long.len(), 5 + 303);
}

#[test]
fn answers_are_read() {
    assert_eq!(answer(&[0, 0, 0, 0, 2, 8, 1]), Some(Status::Serving));
    for status in [0, 2, 3, 9] {
        let framed = [0, 0, 0, 0, 2, 8, status];
        assert_eq!(answer(&framed), Some(Status::NotServing));
    }
    assert_eq!(answer(&[0, 0, 0, 0, 0]), Some(Status::NotServing));
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let message = [
        0x12, 2, b'h', b'i', 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1, 0x25, 0, 0, 0, 0, 0x30, 0xFF, 1,
    ];
    let mut framed = vec![0, 0, 0, 0, 23];
    framed.extend_from_slice(&message);
    assert_eq!(answer(&framed), Some(Status::Serving));
}

#[test]
fn what_is_no_answer_is_none() {
    for wrong in [
        &[][..],
        &[0, 0, 0],
        &[1, 0, 0, 0, 2, 8, 1],
        &[0, 0, 0, 0, 3, 8, 1],
        &[0, 0, 0, 0, 1, 8, 1],
        &[0, 0, 0, 0, 1, 8],
        &[0, 0, 0, 0, 2, 0x12, 5],
        &[0, 0, 0, 0, 2, 0x0B, 0],
        &[0, 0, 0, 0, 3, 8, 0xFF, 0xFF],
    ] {
        assert_eq!(answer(wrong), None, "{wrong:?}");
    }
    let endless = [&[0, 0, 0, 0, 12, 8][..], &[0x80; 11]].concat();
    assert_eq!(answer(&endless), None);
}
