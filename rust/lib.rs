//! meshcore's engine: what moves bytes between a downstream and an upstream.
//!
//! The way of a byte: `net::listener` accepts, `net::proxy_protocol` and `tls` learn who is there,
//! `protocol` finds heads and bodies, `route` says where a request should go, `balance` which
//! endpoint takes it, `pool` lends a connection, `proxy` sends and copies, `telemetry` counts.
//! `snapshot` is the compiled configuration that all of these read, `runtime` the threads they run
//! on, `admin` the window to look in, `engine` the one face that everything outside uses.

pub mod error;
pub mod wire;

pub mod abi;
pub mod net;
pub mod protocol;
pub mod runtime;
pub mod telemetry;
pub mod tls;

pub mod balance;
pub mod policy;
pub mod route;

pub mod snapshot;

pub mod pool;
pub mod remote;

pub mod proxy;

pub mod admin;

pub mod engine;

#[cfg(feature = "python")]
mod python;

/// A stream's tasks, header maps and frames are kilobytes each and live for microseconds; glibc
/// merges and splits such pieces each time, which was a tenth of an HTTP/2 request's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
