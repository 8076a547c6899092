//! HTTP/1 through the engine.

mod keep_alive;
