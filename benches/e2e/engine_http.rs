//! The engine without Python: serves the resources of a JSON file until it is told to end.
//!
//! `engine_http FILE [WORKERS]`; the file holds a `Delta` (rust/wire). It is what callgrind counts
//! and what profiles look at: nothing but the engine is in the process.

use std::os::fd::AsFd;

use meshcore::engine::events::Event;
use meshcore::engine::{Engine, Options};
use rustix::event::{PollFd, PollFlags, poll};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments
        .next()
        .ok_or("usage: engine_http FILE [WORKERS]")?;
    let workers = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let engine = Engine::start(Options {
        workers,
        ..Options::default()
    })?;
    engine.apply(std::fs::read(file)?, Vec::new());
    loop {
        let fd = engine.event_fd();
        poll(
            &mut [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)],
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
