//! What one run of the generator shall do, read from the command line.

use std::net::SocketAddr;
use std::time::Duration;

use crate::flags::Flags;

/// What is spoken, and to what end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// HTTP/1.1 requests, counted and timed.
    Http,
    /// HTTP/2 requests, several at once on each connection.
    Http2,
    /// HTTP/2 answers that go on, and how late their chunks are.
    Chunks,
    /// `P <size>` lines over TCP, each answered with that many bytes.
    Tcp,
    /// Connections that are opened and held.
    Idle,
    /// Responses read slowly.
    Slow,
}

/// Files and names of a TLS client.
#[derive(Clone)]
pub(crate) struct TlsFiles {
    pub(crate) ca: String,
    pub(crate) server_name: String,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
}

/// What an answer must look like to count.
#[derive(Clone)]
pub(crate) struct Expect {
    pub(crate) status: u16,
    pub(crate) length: Option<u64>,
    pub(crate) pattern: bool,
    pub(crate) echo: bool,
}

/// The whole command line.
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) target: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
    pub(crate) warmup: Duration,
    pub(crate) requests: Option<u64>,
    pub(crate) rate: Option<f64>,
    pub(crate) timeout: Duration,
    pub(crate) fresh: bool,
    pub(crate) sources: u8,
    pub(crate) trickle: Option<Duration>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) random: bool,
    pub(crate) headers: Vec<String>,
    pub(crate) body_size: usize,
    pub(crate) expect: Expect,
    pub(crate) size: u64,
    pub(crate) read_rate: u64,
    pub(crate) streams: usize,
    pub(crate) grpc: bool,
    pub(crate) period: Duration,
}

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
loadgen http|http2|chunks|tcp|idle|slow --target ADDRESS:PORT [flags]

how much    --connections 64  --duration 2 (seconds)  --requests N  --warmup 0  --timeout 10
            --rate R (requests per second over all connections, timed from the intended instant)
connection  --fresh (a new one for each request)  --sources N (N client addresses from 127.0.0.2)
            --trickle SECONDS (a connection's first bytes in one to three pieces, each after up to that)
            --ca FILE  --server-name NAME  --certificate FILE  --key FILE  (TLS, never resumed)
request     --method GET  --path /1k  --host bench.test  --header 'name: value'  --body-size N
            path and host may hold one {0..9999} each; --random takes its values at random
answer      --expect-status 200  --expect-length N  --check-pattern  --check-echo
http2       --streams 10 (at once on each connection; cleartext, no --rate or running numbers; with --fresh
            each stream of a connection asks once; after a GOAWAY the next request is on a new one)
            --grpc (POST of a message of --body-size bytes; the trailer grpc-status: 0 is expected)
chunks      --streams 10  --size N (bytes of a chunk)  --period 0.05 (seconds between a stream's chunks)
            the latency told is a chunk's time after the one before it, less the period
tcp         --size N (bytes asked for)
slow        --read-rate N (bytes per second and connection)

Prints one JSON object; with --warmup or idle a line `measuring` or `ready` goes before it.
Exit 0: no failure, 1: failures, 2: a wrong command line.";

impl Options {
    /// Reads the command line without the program's name.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mode = match arguments.next().as_deref() {
            Some("http") => Mode::Http,
            Some("http2") => Mode::Http2,
            Some("chunks") => Mode::Chunks,
            Some("tcp") => Mode::Tcp,
            Some("idle") => Mode::Idle,
            Some("slow") => Mode::Slow,
            _ => return Err(USAGE.to_owned()),
        };
        let mut flags = Flags::parse(arguments)?;
        let options = Self {
            mode,
            target: flags.optional("target")?.ok_or("--target is missing")?,
            connections: flags.or("connections", 64)?,
            duration: seconds(flags.or("duration", 2.0)?)?,
            warmup: seconds(flags.or("warmup", 0.0)?)?,
            requests: flags.optional("requests")?,
            rate: flags.optional("rate")?,
            timeout: seconds(flags.or("timeout", 10.0)?)?,
            fresh: flags.switch("fresh"),
            sources: flags.or("sources", 0)?,
            trickle: flags.optional("trickle")?.map(seconds).transpose()?,
            tls: tls_files(&mut flags)?,
            method: flags.or("method", "GET".to_owned())?,
            path: flags.or("path", "/1k".to_owned())?,
            host: flags.or("host", "bench.test".to_owned())?,
            random: flags.switch("random"),
            headers: flags.many("header"),
            body_size: flags.or("body-size", 0)?,
            expect: expect(&mut flags)?,
            size: flags.or("size", 1 << 20)?,
            read_rate: flags.or("read-rate", 64 << 10)?,
            streams: flags.or("streams", 10)?,
            grpc: flags.switch("grpc"),
            period: seconds(flags.or("period", 0.05)?)?,
        };
        flags.finish()?;
        if options.connections == 0 || options.rate.is_some_and(|rate| rate <= 0.0) {
            return Err("--connections and --rate must be above zero".to_owned());
        }
        Ok(options)
    }
}

fn expect(flags: &mut Flags) -> Result<Expect, String> {
    Ok(Expect {
        status: flags.or("expect-status", 200)?,
        length: flags.optional("expect-length")?,
        pattern: flags.switch("check-pattern"),
        echo: flags.switch("check-echo"),
    })
}

fn tls_files(flags: &mut Flags) -> Result<Option<TlsFiles>, String> {
    let server_name = flags.or("server-name", "localhost".to_owned())?;
    let certificate = flags.optional("certificate")?;
    let key = flags.optional("key")?;
    Ok(flags.optional("ca")?.map(|ca| TlsFiles {
        ca,
        server_name,
        certificate,
        key,
    }))
}

fn seconds(value: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(value).map_err(|_| format!("{value} is no number of seconds"))
}
