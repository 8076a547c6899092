//! The data plane's own HTTP endpoints.
