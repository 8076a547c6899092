//! What this process uses of its machine.

use std::fs;

/// Bytes of memory that are resident; `None` where the kernel doesn't say.
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

/// Open files, and how many there may be; `None` where the kernel doesn't say.
pub fn open_files() -> Option<(u64, u64)> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // Since Linux 6.2 the folder's size is their number, which needs no walk through them.
    let size = fs::metadata("/proc/self/fd").ok()?.len();
    let open = if size > 0 {
        size
    } else {
        u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?
    };
    Some((open, limit.current?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_uses_something() {
        assert!(super::resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        let (open, limit) = super::open_files().expect("they are counted");
        assert!((3..=limit).contains(&open), "{open} of {limit}");
    }
}
