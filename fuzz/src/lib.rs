//! What the targets share that need the whole proxy: it runs in the fuzzer's own thread, with a
//! client before it and an upstream behind it that know nothing of the engine's code.

pub mod answer;
pub mod client;
pub mod draw;
pub mod exchange;
pub mod http1;
pub mod http2;
pub mod judge;
pub mod message;
pub mod stage;
pub mod tables;
pub mod upstream;
