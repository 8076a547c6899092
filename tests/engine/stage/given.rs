//! The configuration that a test begins with: one HTTP listener, one route, one cluster, until the
//! test says otherwise.

use meshcore::engine::{Credential, Engine, Options};
use serde_json::{Value, json};

use super::proxy::Proxy;

/// A configuration in the making.
pub(crate) struct Given {
    listener: Value,
    cluster: Value,
    route: Value,
    endpoints: Vec<Value>,
    more: Value,
    workers: usize,
    credentials: Vec<Credential>,
}

/// A listener `web` that leads to a cluster `api` without endpoints.
pub(crate) fn given() -> Given {
    Given {
        listener: json!({"name": "web", "address": "127.0.0.1:0", "route_table": "web"}),
        cluster: json!({"name": "api"}),
        route: json!({"name": "all", "to": [{"cluster": "api"}]}),
        endpoints: Vec::new(),
        more: json!({}),
        workers: 1,
        credentials: Vec::new(),
    }
}

impl Given {
    /// An endpoint of `api`.
    pub(crate) fn to(mut self, address: impl Into<String>) -> Self {
        self.endpoints.push(json!({"address": address.into()}));
        self
    }

    /// More of the listener.
    pub(crate) fn listener(mut self, with: Value) -> Self {
        merge(&mut self.listener, with);
        self
    }

    /// Bytes instead of HTTP.
    pub(crate) fn tcp(mut self) -> Self {
        self.listener = json!({"name": "web", "address": "127.0.0.1:0", "protocol": "tcp",
            "to": [{"cluster": "api"}]});
        self
    }

    /// More of the cluster.
    pub(crate) fn cluster(mut self, with: Value) -> Self {
        merge(&mut self.cluster, with);
        self
    }

    /// More of the route.
    pub(crate) fn route(mut self, with: Value) -> Self {
        merge(&mut self.route, with);
        self
    }

    /// Resources beside these.
    pub(crate) fn also(mut self, with: Value) -> Self {
        merge(&mut self.more, with);
        self
    }

    pub(crate) fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    pub(crate) fn credential(mut self, credential: Credential) -> Self {
        self.credentials.push(credential);
        self
    }

    /// The resources.
    pub(crate) fn delta(&self) -> Value {
        let mut delta = json!({
            "listeners": [self.listener],
            "clusters": [self.cluster],
            "endpoints": [{"name": "api", "endpoints": self.endpoints}],
            "route_tables": [{"name": "web", "routes": [self.route]}],
        });
        merge(&mut delta, self.more.clone());
        delta
    }

    /// The engine that serves it.
    #[track_caller]
    pub(crate) fn start(self) -> Proxy {
        let options = Options {
            workers: self.workers,
            ..Options::default()
        };
        let proxy = Proxy::of(Engine::start(options).unwrap());
        let delta = self.delta();
        let applied = proxy.apply_with(&delta, self.credentials);
        applied.expect("a sound configuration");
        proxy
    }
}

/// Puts `with` over `base`: objects key by key, lists one after the other.
fn merge(base: &mut Value, with: Value) {
    match (base, with) {
        (Value::Object(base), Value::Object(with)) => {
            for (key, value) in with {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(with)) => base.extend(with),
        (base, with) => *base = with,
    }
}
