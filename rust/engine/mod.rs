//! The one face of the engine: start, apply, check, stats, drain, stop.
