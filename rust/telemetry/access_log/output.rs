//! The file behind an access log, written so that its thread can always be ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fstat};

/// A pipe that reports room takes this much without blocking (`PIPE_BUF` of Linux).
const PIPE_PIECE: usize = 4096;

/// How often a blocked write looks whether it should give up: 100 ms.
const POLL_SLICE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Slices without room after which a closing log gives up: one second, below the sink's wait.
const CLOSING_SLICES: u32 = 10;

/// An open log file.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    /// `None` if the file was handed over, and can't be opened again.
    path: Option<String>,
    piece: usize,
    /// The last write broke off inside a line.
    torn: bool,
    /// Poll slices since there was room.
    stalled: u32,
}

impl Output {
    pub(super) fn open(path: &str) -> io::Result<Self> {
        // Not opened by these names: that fails where they are sockets, as under systemd.
        match path {
            "/dev/stdout" => Ok(Self::over(io::stdout().as_fd().try_clone_to_owned()?)),
            "/dev/stderr" => Ok(Self::over(io::stderr().as_fd().try_clone_to_owned()?)),
            _ => Ok(Self {
                file: open(path)?,
                path: Some(path.to_owned()),
                // Opened without blocking, so it may take what it likes.
                piece: usize::MAX,
                torn: false,
                stalled: 0,
            }),
        }
    }

    /// Takes an open file. Whether its writes block stays as it is: others may share it.
    pub(super) fn over(fd: OwnedFd) -> Self {
        let regular = fstat(&fd)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Self {
            file: File::from(fd),
            path: None,
            piece: if regular { usize::MAX } else { PIPE_PIECE },
            torn: false,
            stalled: 0,
        }
    }

    /// Opens the path again; on failure the old file stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.file = open(path)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Writes whole lines; fails with the number of lines that are lost, and begins the next
    /// write on a line of its own. `closing` is asked while there is no room.
    pub(super) fn write_all(
        &mut self,
        lines: &[u8],
        closing: impl Fn() -> bool,
    ) -> Result<(), u64> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut rest = lines;
        if self.torn {
            self.write_some(b"\n", &closing).map_err(|_| count(lines))?;
            self.torn = false;
        }
        while !rest.is_empty() {
            let piece = rest.get(..self.piece).unwrap_or(rest);
            let Ok(written) = self.write_some(piece, &closing) else {
                let done = lines.len() - rest.len();
                self.torn = lines.get(..done).is_some_and(torn);
                return Err(count(rest));
            };
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn write_some(&mut self, piece: &[u8], closing: &impl Fn() -> bool) -> io::Result<usize> {
        loop {
            self.wait_for_room(closing)?;
            match self.file.write(piece) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => return Ok(written),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => {}
                    _ => return Err(error),
                },
            }
        }
    }

    fn wait_for_room(&mut self, closing: &impl Fn() -> bool) -> io::Result<()> {
        loop {
            let mut fds = [PollFd::new(&self.file, PollFlags::OUT)];
            match poll(&mut fds, Some(&POLL_SLICE)) {
                Ok(0) => self.stalled = self.stalled.saturating_add(1),
                Ok(_) => {
                    self.stalled = 0;
                    return Ok(());
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.stalled >= CLOSING_SLICES && closing() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

fn open(path: &str) -> io::Result<File> {
    // Non-blocking matters for named pipes: without a reader, opening one fails instead of hanging.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    OpenOptions::new()
        .create(true)
        .append(true)
        // Targets and agents of requests may be private: not for everybody on the machine.
        .mode(0o640)
        .custom_flags(flags.cast_signed())
        .open(path)
}

/// How many lines there are, a torn last one included.
fn count(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64 + u64::from(torn(bytes))
}

fn torn(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|byte| *byte != b'\n')
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use super::Output;

    #[test]
    fn a_torn_line_is_ended_before_the_next_one() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut output = Output::over(OwnedFd::from(writer));
        output.torn = true;
        output.write_all(b"whole\n", || false).unwrap();
        output.write_all(b"again\n", || false).unwrap();
        drop(output);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "\nwhole\nagain\n");
    }

    #[test]
    fn a_loss_is_counted_in_lines_and_remembers_a_torn_one() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut output = Output::over(OwnedFd::from(writer));
        // A closed log without room gives up: 64 KiB fit into the pipe, the rest is lost.
        let lines = [b"x".repeat(999), b"\n".to_vec()].concat().repeat(100);
        let lost = output.write_all(&lines, || true).unwrap_err();
        assert_eq!(lost, 100 - 65);
        assert!(output.torn);
        drop(reader);
    }
}
