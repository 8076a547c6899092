//! Every file under tests/fixtures/http1 does what its folder says, at every split.

use std::fs;
use std::path::PathBuf;

use super::LIMITS;
use super::ask_request;
use super::ask_response;
use super::chunked::walk;
use crate::protocol::http1::ChunkMode;
use crate::protocol::http1::HeadScanner;
use crate::protocol::http1::RequestMethod;

/// The files of a folder, of which there must be some.
fn files(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/http1");
    let entries = fs::read_dir(root.join(folder)).expect("the folder of fixtures");
    let files: Vec<_> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .map(|path| (path.clone(), fs::read(path).expect("a readable file")))
        .collect();
    assert!(files.len() > 4, "{folder} has lost its files");
    files
}

#[test]
fn valid_requests_are_read() {
    for (path, bytes) in files("request/valid") {
        let read = ask_request(&bytes, &LIMITS, |head| head.method.to_owned());
        assert!(read.is_ok(), "{}: {read:?}", path.display());
    }
}

#[test]
fn refused_requests_are_refused() {
    for (path, bytes) in files("request/refused") {
        let read = ask_request(&bytes, &LIMITS, |head| format!("{head:?}"));
        assert!(read.is_err(), "{}: {read:?}", path.display());
    }
}

#[test]
fn heads_end_at_the_same_byte_however_they_arrive() {
    for (path, bytes) in files("request/valid") {
        let whole = HeadScanner::default().scan(&bytes, &LIMITS);
        assert_eq!(whole, Ok(Some(bytes.len())), "{}", path.display());
        for split in 0..bytes.len() {
            let mut scanner = HeadScanner::default();
            let first = scanner.scan(&bytes[..split], &LIMITS);
            assert_eq!(first, Ok(None), "{} at {split}", path.display());
            assert_eq!(
                scanner.scan(&bytes, &LIMITS),
                whole,
                "{} at {split}",
                path.display()
            );
        }
    }
}

#[test]
fn no_prefix_of_a_head_is_a_head() {
    for (path, bytes) in files("request/valid") {
        for end in 0..bytes.len() {
            let read = ask_request(&bytes[..end], &LIMITS, |head| format!("{head:?}"));
            assert!(read.is_err(), "{} up to {end}: {read:?}", path.display());
        }
    }
}

#[test]
fn responses_do_what_their_folder_says() {
    for (folder, valid) in [("response/valid", true), ("response/refused", false)] {
        for (path, bytes) in files(folder) {
            let read = ask_response(&bytes, RequestMethod::Other, |head| format!("{head:?}"));
            assert_eq!(read.is_ok(), valid, "{}: {read:?}", path.display());
        }
    }
}

#[test]
fn chunked_bodies_do_what_their_folder_says() {
    for (folder, valid) in [("chunked/valid", true), ("chunked/refused", false)] {
        for (path, bytes) in files(folder) {
            for step in 1..=bytes.len() {
                let walked = walk(ChunkMode::Forward, &bytes, step);
                let done = walked.as_ref().is_ok_and(|walked| walked.done);
                assert_eq!(done, valid, "{} by {step}: {walked:?}", path.display());
            }
        }
    }
}
