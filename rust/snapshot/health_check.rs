//! What may be written about active health checks.

use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue, Method};

use crate::wire::cluster::Protocol;
use crate::wire::health_check::{GrpcCheck, HttpCheck, Payload, Statuses, TcpCheck};
use crate::wire::{self, HealthCheck, Problems};

/// Checks of one cluster: each asks every endpoint, and an endpoint has a bit for each.
const CHECKS_MAX: usize = 8;
/// The longest name of a gRPC service, so that a question is one frame.
const SERVICE_BYTES_MAX: usize = 4096;

/// Fields that a check's own head has, or that frame it.
const OURS: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Notes problems below one path.
struct At<'p> {
    path: String,
    problems: &'p mut Problems,
}

impl At<'_> {
    fn add(&mut self, code: &'static str, key: &str, message: &str, hint: &str) {
        let dot = if key.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{key}", self.path);
        self.problems.add(code, path, message, hint);
    }
}

/// Checks the health checks of a cluster.
pub(super) fn check(cluster: &wire::Cluster, problems: &mut Problems) {
    if cluster.health_checks.len() > CHECKS_MAX {
        let message = format!(
            "{} checks, each of every endpoint",
            cluster.health_checks.len()
        );
        let hint = format!("a cluster has at most {CHECKS_MAX}");
        problems.add("health_check_invalid", "health_checks", message, hint);
    }
    for (index, one) in cluster.health_checks.iter().enumerate() {
        let mut at = At {
            path: format!("health_checks[{index}]"),
            problems,
        };
        kind(cluster, one, &mut at);
        times(one, &mut at);
    }
}

fn kind(cluster: &wire::Cluster, one: &HealthCheck, at: &mut At<'_>) {
    match (&one.http, &one.grpc, &one.tcp) {
        (Some(http), None, None) => http_check(http, at),
        (None, Some(grpc), None) => grpc_check(cluster, grpc, at),
        (None, None, Some(tcp)) => tcp_check(tcp, at),
        _ => at.add(
            "health_check_invalid",
            "",
            "a check is one of http, grpc and tcp",
            "write for example http: {path: /healthz}",
        ),
    }
}

fn times(one: &HealthCheck, at: &mut At<'_>) {
    let hint = "write a duration above 0s";
    if one.interval_ms == 0 {
        at.add(
            "timeout_zero",
            "interval",
            "there is no pause between checks",
            hint,
        );
    }
    if one.unhealthy_interval_ms == Some(0) {
        let key = "unhealthy_interval";
        at.add(
            "timeout_zero",
            key,
            "there is no pause between checks",
            hint,
        );
    }
    if one.timeout_ms == 0 {
        at.add(
            "timeout_zero",
            "timeout",
            "no endpoint answers within 0s",
            hint,
        );
    }
    for (key, threshold) in [
        ("unhealthy_threshold", one.unhealthy_threshold),
        ("healthy_threshold", one.healthy_threshold),
    ] {
        if threshold == 0 {
            at.add(
                "health_check_invalid",
                key,
                "no result would change anything",
                "write 1 or more",
            );
        }
    }
    if one.jitter > 100 {
        let message = "more than the interval itself";
        at.add("health_check_invalid", "jitter", message, "write 0 to 100");
    }
    if one.port == Some(0) {
        at.add(
            "health_check_invalid",
            "port",
            "port 0 can't be connected to",
            "write 1 to 65535",
        );
    }
}

fn http_check(http: &HttpCheck, at: &mut At<'_>) {
    if !http.path.starts_with('/') || PathAndQuery::try_from(http.path.as_str()).is_err() {
        let hint = "write for example /healthz";
        at.add("health_check_invalid", "http.path", "this is no path", hint);
    }
    authority(http.host.as_deref(), "http.host", at);
    let method = Method::from_bytes(http.method.as_bytes());
    if method.map_or(true, |method| method == Method::CONNECT) {
        let hint = "write GET, HEAD or OPTIONS";
        at.add(
            "health_check_invalid",
            "http.method",
            "no request has this method",
            hint,
        );
    }
    let valid = |one: &Statuses| 200 <= one.low && one.low <= one.high && one.high <= 599;
    if http.expected_statuses.is_empty() || !http.expected_statuses.iter().all(valid) {
        let hint = "write statuses from 200 to 599, or ranges: [200, \"300-399\"]";
        let key = "http.expected_statuses";
        at.add(
            "health_check_invalid",
            key,
            "no answer could have these",
            hint,
        );
    }
    for (name, value) in &http.headers {
        let own = OURS.contains(&name.to_ascii_lowercase().as_str());
        let unusable = HeaderName::from_bytes(name.as_bytes()).is_err() || name.contains('"');
        if own || unusable || HeaderValue::from_str(value).is_err() {
            let key = format!("http.headers.{name}");
            let hint = "http.host names the host; fields that frame a message are left to us";
            at.add(
                "health_check_invalid",
                &key,
                "this field can't be sent",
                hint,
            );
        }
    }
}

fn grpc_check(cluster: &wire::Cluster, grpc: &GrpcCheck, at: &mut At<'_>) {
    authority(grpc.authority.as_deref(), "grpc.authority", at);
    if grpc.service.len() > SERVICE_BYTES_MAX {
        at.add(
            "health_check_invalid",
            "grpc.service",
            "this is no service's name",
            "",
        );
    }
    if cluster.tls.is_some() && cluster.protocol == Protocol::Http1 {
        let hint = "write protocol: http2 (or auto, or same) on the cluster";
        let message = "gRPC needs HTTP/2, and the handshake of this cluster agrees on HTTP/1";
        at.add("health_check_invalid", "grpc", message, hint);
    }
}

fn tcp_check(tcp: &TcpCheck, at: &mut At<'_>) {
    for (key, payload) in [("tcp.send", &tcp.send), ("tcp.receive", &tcp.receive)] {
        let unread = |payload: &Payload| payload.bytes().is_none();
        if payload.as_ref().is_some_and(unread) {
            let hint = "two hexadecimal digits a byte, for example 0d0a";
            at.add("health_check_invalid", key, "these are no bytes", hint);
        }
    }
}

fn authority(written: Option<&str>, key: &str, at: &mut At<'_>) {
    let invalid = |text: &str| text.contains('@') || Authority::try_from(text).is_err();
    if written.is_some_and(invalid) {
        let hint = "write a host name or address, with or without a port";
        at.add("health_check_invalid", key, "this is no host", hint);
    }
}

#[cfg(test)]
#[path = "health_check_tests.rs"]
mod tests;
