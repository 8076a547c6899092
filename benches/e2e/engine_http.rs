//! The engine without Python: one HTTP listener before one backend, until the process is ended.
//!
//! `engine_http LISTEN BACKEND [WORKERS [http|http2|tcp]]`; `http2` is what it speaks to the backend. It is what callgrind counts and what profiles look at:
//! nothing but the engine is in the process.
#![expect(
    clippy::print_stderr,
    reason = "a program that tells its user what happens"
)]

use meshcore::engine::events::Event;
use meshcore::engine::{Engine, Options};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;

const USAGE: &str = "usage: engine_http LISTEN BACKEND [WORKERS [http|http2|tcp]]";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().ok_or(USAGE)?;
    let backend = arguments.next().ok_or(USAGE)?;
    let workers = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let protocol = arguments.next().unwrap_or_else(|| "http".to_owned());
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
    let delta = json!({
        "listeners": [listener],
        "route_tables": [{ "name": "web", "routes": [{ "name": "all", "to": [{ "cluster": "one" }] }] }],
        "clusters": [{ "name": "one", "protocol": upstream }],
        "endpoints": [{ "name": "one", "endpoints": [{ "address": backend }] }],
    });
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
