//! Active health checks: what endpoints of a cluster are asked, whether they have traffic or not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One question that is asked again and again; exactly one of `http`, `grpc` and `tcp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// A request whose answer's status says it.
    pub http: Option<HttpCheck>,
    /// `grpc.health.v1.Health/Check`.
    pub grpc: Option<GrpcCheck>,
    /// A connection, perhaps with bytes there and back.
    pub tcp: Option<TcpCheck>,
    /// From one check to the next.
    pub interval_ms: u64,
    /// The same while the endpoint fails; `None`: as `interval_ms`.
    pub unhealthy_interval_ms: Option<u64>,
    /// Up to so much of the interval is added, by chance.
    pub jitter: u32,
    /// For connecting and the answer together.
    pub timeout_ms: u64,
    /// Failures in a row that make an endpoint unhealthy; the first check of all decides alone.
    pub unhealthy_threshold: u32,
    /// Successes in a row that make it healthy again.
    pub healthy_threshold: u32,
    /// The port that is asked; `None`: the endpoint's.
    pub port: Option<u16>,
    /// Whether a connection is kept from one check to the next.
    pub reuse_connection: bool,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            http: None,
            grpc: None,
            tcp: None,
            interval_ms: 10_000,
            unhealthy_interval_ms: None,
            jitter: 10,
            timeout_ms: 1_000,
            unhealthy_threshold: 3,
            healthy_threshold: 1,
            port: None,
            reuse_connection: true,
        }
    }
}

/// A request, in the cluster's protocol; HTTP/1.1 where that is the client's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpCheck {
    /// Path and query.
    pub path: String,
    /// The authority; `None`: the endpoint's host name or address, with the port.
    pub host: Option<String>,
    /// The method; never one that has a body.
    pub method: String,
    /// Statuses that are a success.
    pub expected_statuses: Vec<Statuses>,
    /// Fields that the request has besides.
    pub headers: BTreeMap<String, String>,
}

impl Default for HttpCheck {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            host: None,
            method: "GET".to_owned(),
            expected_statuses: vec![Statuses {
                low: 200,
                high: 200,
            }],
            headers: BTreeMap::new(),
        }
    }
}

/// A status or a range of them, as text: `200`, `200-299`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Statuses {
    /// The lowest.
    pub low: u16,
    /// The highest.
    pub high: u16,
}

impl TryFrom<String> for Statuses {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (low, high) = text.split_once('-').unwrap_or((&text, &text));
        match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) => Ok(Self { low, high }),
            _ => Err("neither a status nor a range of them"),
        }
    }
}

impl From<Statuses> for String {
    fn from(Statuses { low, high }: Statuses) -> Self {
        if low == high {
            low.to_string()
        } else {
            format!("{low}-{high}")
        }
    }
}

/// A call of gRPC's health service, over HTTP/2 whatever else the cluster speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcCheck {
    /// The service that is asked about; empty: the server as a whole.
    pub service: String,
    /// The authority; `None`: the endpoint's host name or address, with the port.
    pub authority: Option<String>,
}

/// Bytes; without any a connection is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcpCheck {
    /// What is sent.
    pub send: Option<Payload>,
    /// What the answer must begin with.
    pub receive: Option<Payload>,
}

/// Bytes as text or as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// Its UTF-8 bytes.
    Text(String),
    /// Two digits a byte.
    Hex(String),
}

impl Payload {
    /// The bytes; `None` where the digits are none.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let digits = match self {
            Self::Text(text) => return Some(text.clone().into_bytes()),
            Self::Hex(digits) => digits.as_bytes(),
        };
        let (pairs, rest) = digits.as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
        pairs
            .iter()
            .map(byte)
            .collect::<Option<Vec<u8>>>()
            .filter(|_| rest.is_empty())
    }
}
