//! Exchanges of which at least one side speaks HTTP/2: two readers and two writers instead of four
//! bridges.
//!
//! A [`source`] gives a body in pieces, a [`sink`] takes them, a [`pump`] carries them over;
//! [`server`] sends a request's head and finds its answer, [`client`] sends the answer's. For clients
//! of gRPC-Web [`grpc_web`] stands between a source or sink and the pump.

mod answer;
mod asking;
mod begun;
mod client;
mod course;
mod exchange;
mod grpc_web;
mod hedge;
mod mirror;
mod opening;
mod passing;
mod patience;
mod pump;
mod racer;
mod replay;
mod server;
mod sink;
mod source;
mod upload;

pub(super) use begun::Begun;
pub(super) use client::Client;
pub(super) use exchange::Exchange;
pub(super) use pump::Pieces;
pub(super) use sink::{Coding, Sink};
pub(super) use source::{Broken, Http1Source, Http2Source, Piece, Source, request_body};
