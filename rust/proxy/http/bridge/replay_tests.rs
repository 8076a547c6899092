use std::task::Waker;

use super::*;

/// What an attempt reads: bytes, whether the end was told with the last of them, and trailers.
fn read(body: &mut Replay<'_, '_>) -> Vec<String> {
    let (mut cx, mut at) = (Context::from_waker(Waker::noop()), Place::default());
    let mut pieces = Vec::new();
    while let Poll::Ready(piece) = body.from(&mut at).poll_piece(&mut cx) {
        let (text, last) = match piece.expect("the body is sound") {
            Piece::Data(bytes, last) => (String::from_utf8_lossy(&bytes).into_owned(), last),
            Piece::Trailers(fields) => (format!("{} trailers", fields.len()), true),
            Piece::End => ("end".to_owned(), true),
        };
        pieces.push(text);
        if last {
            break;
        }
    }
    pieces
}

fn with_body(limit: usize, pieces: &[Piece], test: impl FnOnce(&mut Replay<'_, '_>)) {
    let mut source = Source::Empty;
    let mut body = Replay::new(&mut source, limit);
    for piece in pieces {
        body.note(piece);
    }
    test(&mut body);
}

fn data(text: &'static str, last: bool) -> Piece {
    Piece::Data(Bytes::from_static(text.as_bytes()), last)
}

#[test]
fn what_was_kept_is_read_again_from_its_beginning() {
    with_body(10, &[data("abc", false), data("de", true)], |body| {
        for _ in 0..3 {
            assert_eq!(read(body), ["abcde"]);
        }
        assert!(body.can_begin_again() && body.has_ended() && !body.is_head_alone());
        assert_eq!(body.taken(), 5);
    });
    let trailers = Piece::Trailers(Box::new(
        [(http::header::ETAG, http::HeaderValue::from_static("x"))]
            .into_iter()
            .collect(),
    ));
    with_body(10, &[data("abc", false), trailers], |body| {
        assert_eq!(read(body), ["abc", "1 trailers"]);
        assert_eq!(read(body), ["abc", "1 trailers"]);
    });
    with_body(10, &[Piece::End], |body| {
        assert_eq!(read(body), ["end"]);
        assert!(body.is_head_alone() && body.can_begin_again());
    });
}

#[test]
fn a_long_body_is_given_again_in_pieces() {
    let long = Bytes::from(vec![b'x'; PIECE_BYTES * 2 + 7]);
    with_body(1 << 20, &[Piece::Data(long, true)], |body| {
        let lengths: Vec<usize> = read(body).iter().map(String::len).collect();
        assert_eq!(lengths, [PIECE_BYTES, PIECE_BYTES, 7]);
    });
}

#[test]
fn a_body_above_the_bound_cannot_begin_again() {
    with_body(4, &[data("abc", false)], |body| {
        assert!(body.can_begin_again() && !body.is_too_long());
        body.note(&data("de", false));
        assert!(!body.can_begin_again() && body.is_too_long());
        assert!(body.kept.is_empty(), "what is of no use is freed");
        assert_eq!(body.taken(), 5);
    });
    with_body(0, &[data("a", false)], |body| {
        assert!(!body.can_begin_again() && !body.is_too_long());
    });
    with_body(0, &[], |body| assert!(body.can_begin_again()));
}

#[test]
fn the_rest_comes_from_the_client() {
    with_body(10, &[data("abc", false)], |body| {
        assert_eq!(read(body), ["abc", "end"]);
        assert_eq!(read(body), ["abc"], "the end is known by now");
    });
}
