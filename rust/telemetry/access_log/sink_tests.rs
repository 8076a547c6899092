//! A sink loses nothing while its reader reads, and never waits for one that doesn't.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::{BUFFER_BYTES, LogSink};
use crate::telemetry::{LogSinks, LogStats, Registry};

/// More than any line here, so that a loop over it fills buffer, writer thread and pipe.
const MORE_THAN_FITS: usize = 3 * BUFFER_BYTES;

fn piped() -> (std::io::PipeReader, LogSink, Arc<LogStats>) {
    let (reader, writer) = std::io::pipe().unwrap();
    let stats = Arc::<LogStats>::default();
    let sink = LogSink::over(OwnedFd::from(writer), Arc::clone(&stats)).unwrap();
    (reader, sink, stats)
}

fn directory() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("meshcore-log-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
fn what_was_taken_is_written_when_the_sink_ends() {
    let (mut reader, sink, stats) = piped();
    for number in 0..1_000 {
        assert!(sink.write(format!("line {number}\n").as_bytes()));
    }
    drop(sink);
    let mut read = String::new();
    reader.read_to_string(&mut read).unwrap();
    for (number, line) in read.lines().enumerate() {
        assert_eq!(line, format!("line {number}"));
    }
    assert_eq!(read.lines().count(), 1_000);
    assert_eq!(stats.lines_total.value(), 1_000);
    assert_eq!(stats.dropped_total.value(), 0);
}

#[test]
fn a_line_arrives_without_more_of_them() {
    let (reader, sink, _) = piped();
    sink.write(b"alone\n");
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert_eq!(line, "alone\n");
}

#[test]
fn a_reader_that_does_not_read_stops_nobody_and_every_loss_is_counted() {
    let (mut reader, sink, stats) = piped();
    let line = [b"x".repeat(999), b"\n".to_vec()].concat();
    let offered = MORE_THAN_FITS / line.len();
    let taken = (0..offered).filter(|_| sink.write(&line)).count();
    assert!(taken < offered, "the buffer is bounded");
    assert!(taken >= BUFFER_BYTES / line.len(), "and used");
    drop(sink);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    let written = read.split_inclusive(|byte| *byte == b'\n');
    let whole = written.filter(|one| *one == line).count();
    let dropped = usize::try_from(stats.dropped_total.value()).unwrap();
    assert_eq!(whole + dropped, offered);
}

#[test]
fn a_reader_that_went_away_is_an_error_and_nothing_worse() {
    let (reader, sink, stats) = piped();
    drop(reader);
    for _ in 0..10 {
        assert!(sink.write(b"to nobody\n"));
    }
    drop(sink);
    assert_eq!(stats.dropped_total.value(), 10);
    assert!(stats.errors_total.value() >= 1);
}

#[test]
fn a_full_disk_is_an_error_and_nothing_worse() {
    let stats = Arc::<LogStats>::default();
    let sink = LogSink::open("/dev/full", Arc::clone(&stats)).unwrap();
    assert!(sink.write(b"one\n"));
    assert!(sink.write(b"two\n"));
    drop(sink);
    assert_eq!(stats.dropped_total.value(), 2);
}

#[test]
fn a_moved_file_is_made_anew_on_reopen() {
    let directory = directory();
    let (path, moved) = (directory.join("access.log"), directory.join("access.log.1"));
    let sinks = LogSinks::new(Arc::new(Registry::new()));
    let sink = sinks.open(path.to_str().unwrap()).unwrap();
    std::fs::rename(&path, &moved).unwrap();
    sinks.reopen();
    sink.write(b"after\n");
    drop(sink);
    sinks.close_unused();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
    assert_eq!(std::fs::read_to_string(&moved).unwrap(), "");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_path_is_opened_once() {
    let directory = directory();
    let path = directory.join("access.log").to_str().unwrap().to_owned();
    let registry = Arc::new(Registry::new());
    let sinks = LogSinks::new(Arc::clone(&registry));
    let first = sinks.open(&path).unwrap();
    let second = sinks.open(&path).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    first.write(b"one\n");
    second.write(b"two\n");
    sinks.close_unused();
    assert_eq!(registry.log(&path).lines_total.value(), 2);
    drop((first, second, sinks));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_path_that_cannot_be_opened_is_said_at_once() {
    let sinks = LogSinks::new(Arc::new(Registry::new()));
    assert!(sinks.open("/nonexistent/access.log").is_err());
}
