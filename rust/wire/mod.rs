//! The resources that cross the border, as serde sees them; unknown fields are refused.
//!
//! One file per resource. Times are milliseconds, sizes bytes; 0 switches a limit off where the
//! field says so. Defaults live here and nowhere else: a field that the document left out is left
//! out of the resource too.

pub mod cluster;
pub mod endpoints;
pub mod health_check;
pub mod hook;
pub mod http2;
pub mod listener;
pub mod overload;
pub mod problem;
pub mod resilience;
pub mod route;
pub mod tcp_keepalive;

use serde::{Deserialize, Serialize};

pub use cluster::Cluster;
pub use endpoints::Endpoints;
pub use health_check::HealthCheck;
pub use hook::Hook;
pub use http2::Http2;
pub use listener::Listener;
pub use overload::Overload;
pub use problem::{Problem, Problems};
pub use route::RouteTable;
pub use tcp_keepalive::TcpKeepalive;

/// What one `apply` changes: each listed resource replaces the one of its name.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delta {
    /// Listeners to add or replace.
    pub listeners: Vec<Listener>,
    /// Route tables to add or replace.
    pub route_tables: Vec<RouteTable>,
    /// Clusters to add or replace.
    pub clusters: Vec<Cluster>,
    /// Endpoint groups to add or replace.
    pub endpoints: Vec<Endpoints>,
    /// Bounds of the process to replace.
    pub overload: Vec<Overload>,
    /// Hooks to add or replace.
    pub hooks: Vec<Hook>,
    /// Resources to remove.
    pub remove: Vec<Key>,
}

/// Names one resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Which kind of resource.
    pub kind: Kind,
    /// Its name, unique within the kind.
    pub name: String,
}

/// The kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Kind {
    /// A socket that accepts.
    Listener,
    /// Routes of an HTTP listener.
    RouteTable,
    /// A named group of endpoints and how to reach them.
    Cluster,
    /// The addresses of a cluster.
    Endpoints,
    /// Bounds of the process.
    Overload,
    /// Policy that users write.
    Hook,
}

impl Kind {
    /// The name that users read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "Listener",
            Self::RouteTable => "RouteTable",
            Self::Cluster => "Cluster",
            Self::Endpoints => "Endpoints",
            Self::Overload => "Overload",
            Self::Hook => "Hook",
        }
    }
}
