//! A worker's clusters: their pickers, and upstream connections kept for reuse.
//!
//! Everything here belongs to one worker and is touched by its thread alone. A `View` is made for
//! each snapshot; what a change left alone moves over as it is, connections included.

mod age;
mod cluster;
mod endpoint;
mod establish;
mod fitness;
mod guarding;
pub mod http2;
mod likeness;
mod session;
mod shares;
mod tried;
mod view;

pub use age::Age;
pub use cluster::ClusterRun;
pub use endpoint::{EndpointRun, InFlight, Upstream};
pub use establish::{Destination, establish, write_all};
pub use guarding::{Full, Probes, count_verdict};
pub use tried::{Aim, Tried, Wish};
pub use view::View;
