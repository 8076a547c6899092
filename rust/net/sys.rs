//! The engine's one place for `unsafe`: kernel calls that no crate of ours wraps.
#![expect(
    unsafe_code,
    reason = "TCP_INFO and SIOCOUTQ have no safe wrapper, and tokio asks for a promise"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the current runtime.
pub(super) fn watch<T: AsFd + AsRawFd>(inner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: `AsFd` promises that the descriptor is open and the same for the life of the value
    // (RFC 3128), which the `AsyncFd` owns. Our two users are `OwnedFd` and `Arc<Socket>`.
    unsafe { AsyncFd::register_with_interest(inner, interest) }.map_err(Into::into)
}

/// Bytes that were sent and that the peer's TCP hasn't acknowledged; `None` where the kernel can't
/// tell.
pub(super) fn unacknowledged(fd: BorrowedFd<'_>) -> Option<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (TIOCOUTQ) writes one int, and `bytes` lives over the call. Tested by
    // `net::dial::tests`.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    (result == 0).then(|| bytes.try_into().ok()).flatten()
}

/// `tcpi_bytes_acked` of `struct tcp_info` (Linux 4.1): bytes acknowledged by the peer's TCP.
///
/// `None` when the socket isn't TCP or the kernel fills less of the struct.
pub(super) fn bytes_acked(fd: BorrowedFd<'_>) -> Option<u64> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut len = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: `info` is writable for `len` bytes, both live over the call, and the kernel writes
    // at most `len` bytes. Tested by `net::dial::tests`.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let end = std::mem::offset_of!(libc::tcp_info, tcpi_bytes_acked) + size_of::<u64>();
    if result != 0 || (len as usize) < end {
        return None;
    }
    // SAFETY: all fields are integers, for which the zeroed bytes are valid where the kernel
    // wrote none.
    Some(unsafe { info.assume_init() }.tcpi_bytes_acked)
}
