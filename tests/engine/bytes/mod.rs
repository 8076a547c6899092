//! TCP, TLS and the PROXY protocol through the engine.

mod proxy_header;
mod sni;
mod tcp;
mod tls;
