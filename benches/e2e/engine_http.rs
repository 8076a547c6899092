//! The engine without Python: one HTTP listener before one backend, until the process is ended.
//!
//! `engine_http LISTEN BACKEND [WORKERS [http|http2|tcp [policies|LIBRARY [CONFIG]]]]`; `http2` is what it
//! speaks to the backend, `policies` is routing by conditions, a rate limit, circuit limits, a breaker and
//! outlier detection, a library is a native hook of the route. It is what callgrind counts and what profiles
//! look at: nothing but the engine is in the process.
#![expect(
    clippy::print_stderr,
    reason = "a program that tells its user what happens"
)]

use meshcore::engine::events::Event;
use meshcore::engine::{Engine, Options};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};

const USAGE: &str =
    "usage: engine_http LISTEN BACKEND [WORKERS [http|http2|tcp [policies|LIBRARY [CONFIG]]]]";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().ok_or(USAGE)?;
    let backend = arguments.next().ok_or(USAGE)?;
    let workers = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let protocol = arguments.next().unwrap_or_else(|| "http".to_owned());
    let more = arguments.next();
    let policies = more.as_deref() == Some("policies");
    let library = more.filter(|_| !policies);
    let config = arguments.next().unwrap_or_default();
    let options = Options {
        workers,
        ..Options::default()
    };
    let engine = Engine::start(options)?;
    let listener = match protocol.as_str() {
        "http" | "http2" => json!({ "name": "web", "address": listen, "route_table": "web" }),
        "tcp" => {
            json!({ "name": "web", "address": listen, "protocol": "tcp", "to": [{"cluster": "one"}] })
        }
        _ => return Err(USAGE.into()),
    };
    let upstream = if protocol == "http2" {
        "http2"
    } else {
        "http1"
    };
    let mut cluster = json!({ "name": "one", "protocol": upstream });
    if policies {
        restrain(&mut cluster);
    }
    let mut delta = json!({
        "listeners": [listener],
        "route_tables": [{ "name": "web", "routes": routes(policies) }],
        "clusters": [cluster],
        "endpoints": [{ "name": "one", "endpoints": [{ "address": backend }] }],
    });
    if let Some(library) = library {
        meshcore::abi::load(&library)?;
        hook(&mut delta, &library, &config);
    }
    engine.apply(delta.to_string().into_bytes(), Vec::new());
    loop {
        poll(
            &mut [PollFd::from_borrowed_fd(engine.event_fd(), PollFlags::IN)],
            None,
        )?;
        for event in engine.drain_events(16) {
            match event {
                Event::Applied(..) => eprintln!("serving"),
                Event::Refused(_, problems) => return Err(format!("{problems:#?}").into()),
                other => eprintln!("{other:?}"),
            }
        }
    }
}

/// One route, or several of which the last takes the request: the others look at its fields.
fn routes(policies: bool) -> Value {
    let to = json!([{ "cluster": "one" }]);
    if !policies {
        return json!([{ "name": "all", "to": to }]);
    }
    let by_user = |name: &str| {
        json!({
            "name": name,
            "match": { "path": { "prefix": "/" }, "headers": { "end-user": { "exact": name } } },
            "to": to,
        })
    };
    let limit = json!({ "name": "all", "local": { "requests": 1_000_000, "per_ms": 1_000 }, "response_headers": false });
    json!([
        by_user("jason"),
        by_user("kay"),
        { "name": "all", "match": { "path": { "prefix": "/" } }, "to": to, "rate_limits": [limit] },
    ])
}

/// The route asks a filter about each request.
fn hook(delta: &mut Value, library: &str, config: &str) {
    let native = json!({ "filter": library, "config": config });
    delta["hooks"] = json!([{ "name": "hook", "timeout_ms": 1_000, "native": native }]);
    delta["route_tables"][0]["routes"][0]["hooks"] = json!([{ "name": "hook" }]);
}

/// Accounting that is on and never acts.
fn restrain(cluster: &mut Value) {
    cluster["limits"] = json!({
        "max_connections": 20_000, "max_pending_requests": 20_000, "max_requests": 20_000,
    });
    cluster["breaker"] = json!({ "scope": "both" });
    cluster["outlier_detection"] = json!({
        "consecutive_5xx": 5, "consecutive_gateway_failure": 5,
        "enforcing_success_rate": 100, "enforcing_failure_percentage": 100,
    });
}
