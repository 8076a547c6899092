//! NA-1 and NA-2: one result per spelling and mode.

use std::borrow::Cow;

use super::normalize;
use crate::protocol::error::HeadError;
use crate::wire::listener::PathNormalization;
use crate::wire::listener::PathNormalization::Base;
use crate::wire::listener::PathNormalization::DecodeAndMergeSlashes;
use crate::wire::listener::PathNormalization::MergeSlashes;
use crate::wire::listener::PathNormalization::None as AsItCame;

const MODES: [PathNormalization; 4] = [AsItCame, Base, MergeSlashes, DecodeAndMergeSlashes];

/// Path, then its form with `base`, `merge_slashes` and `decode_and_merge_slashes`.
const CASES: [(&str, [&str; 3]); 32] = [
    ("/", ["/", "/", "/"]),
    ("*", ["*", "*", "*"]),
    ("", ["", "", ""]),
    ("/a/b.html", ["/a/b.html", "/a/b.html", "/a/b.html"]),
    (
        "/.well-known/x",
        ["/.well-known/x", "/.well-known/x", "/.well-known/x"],
    ),
    ("/...", ["/...", "/...", "/..."]),
    ("/..a/.b", ["/..a/.b", "/..a/.b", "/..a/.b"]),
    ("/a/./b", ["/a/b", "/a/b", "/a/b"]),
    ("/a/../b", ["/b", "/b", "/b"]),
    ("/a/..", ["/", "/", "/"]),
    ("/a/b/..", ["/a/", "/a/", "/a/"]),
    ("/a/.", ["/a/", "/a/", "/a/"]),
    ("/..", ["/", "/", "/"]),
    ("/../../etc", ["/etc", "/etc", "/etc"]),
    ("/a/%2e%2E/b", ["/b", "/b", "/b"]),
    ("/a/.%2e/b", ["/b", "/b", "/b"]),
    ("/a//b", ["/a//b", "/a/b", "/a/b"]),
    ("//a", ["//a", "/a", "/a"]),
    ("/a//../b", ["/a/b", "/a/b", "/a/b"]),
    ("/a\\b", ["/a/b", "/a/b", "/a/b"]),
    ("/a\\..\\b", ["/b", "/b", "/b"]),
    ("/a/..;/b", ["/a/..;/b", "/a/..;/b", "/a/..;/b"]),
    ("/%61dmin", ["/admin", "/admin", "/admin"]),
    ("/a%20b", ["/a%20b", "/a%20b", "/a%20b"]),
    ("/a%2fb", ["/a%2Fb", "/a%2Fb", "/a/b"]),
    ("/a%5cb", ["/a%5Cb", "/a%5Cb", "/a/b"]),
    ("/a%2F%2e%2e%2Fb", ["/a%2F..%2Fb", "/a%2F..%2Fb", "/b"]),
    ("/a/%2F/b", ["/a/%2F/b", "/a/%2F/b", "/a/b"]),
    (
        "/%252e%252e/b",
        ["/%252e%252e/b", "/%252e%252e/b", "/%252e%252e/b"],
    ),
    (
        "/%c0%ae%c0%ae/b",
        ["/%C0%AE%C0%AE/b", "/%C0%AE%C0%AE/b", "/%C0%AE%C0%AE/b"],
    ),
    ("/%C0%AF", ["/%C0%AF", "/%C0%AF", "/%C0%AF"]),
    ("/caf%c3%a9", ["/caf%C3%A9", "/caf%C3%A9", "/caf%C3%A9"]),
];

#[test]
fn each_mode_has_its_result() {
    for (path, wanted) in CASES {
        assert_eq!(
            normalize(path, AsItCame).as_deref(),
            Ok(path),
            "NA-1 {path}"
        );
        for (mode, wanted) in [Base, MergeSlashes, DecodeAndMergeSlashes]
            .into_iter()
            .zip(wanted)
        {
            assert_eq!(
                normalize(path, mode).as_deref(),
                Ok(wanted),
                "NA-1 {path} {mode:?}"
            );
        }
    }
}

#[test]
fn a_normal_path_stays_where_it_is() {
    for (path, _) in CASES {
        for mode in MODES {
            let once = normalize(path, mode).expect("a valid path");
            let twice = normalize(&once, mode).expect("a valid path");
            assert!(
                matches!(twice, Cow::Borrowed(_)),
                "{path} {mode:?}: {once} became {twice}"
            );
        }
    }
}

#[test]
fn what_hides_a_path_is_refused() {
    for mode in MODES {
        for path in ["/a%00", "/%00/b", "/..%00"] {
            assert_eq!(
                normalize(path, mode),
                Err(HeadError::PathNul),
                "NA-1 {path}"
            );
        }
        assert_eq!(normalize("/a#b", mode), Err(HeadError::Fragment), "NA-2");
    }
    for path in ["/%", "/%4", "/%zz", "/%2%65", "/%u002e", "/a%+1"] {
        assert_eq!(
            normalize(path, AsItCame).as_deref(),
            Ok(path),
            "NA-1 {path}"
        );
        assert_eq!(
            normalize(path, Base),
            Err(HeadError::PathEscape),
            "NA-1 {path}"
        );
    }
}
