//! How many workers the machine, or the container, can feed.

use std::num::NonZeroUsize;

/// Cores that this process may use: the scheduler's mask, cut by the cgroup's CPU quota.
pub fn allowed() -> NonZeroUsize {
    // The standard library reads sched_getaffinity and the cgroup v1 and v2 quotas (rounded down).
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Pins the calling thread to the `index`-th core of the process' mask.
///
/// # Errors
/// What `sched_setaffinity` says.
pub fn pin(index: usize) -> std::io::Result<()> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let cores: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|core| allowed.is_set(*core))
        .collect();
    let Some(core) = cores.get(index % cores.len().max(1)) else {
        return Ok(());
    };
    let mut one = rustix::thread::CpuSet::new();
    one.set(*core);
    rustix::thread::sched_setaffinity(None, &one)?;
    Ok(())
}
