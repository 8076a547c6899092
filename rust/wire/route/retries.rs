//! What is done for an answer beyond asking one endpoint once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StringMatch;

/// Which failures are tried again, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retries {
    /// How often at most, beside the first attempt.
    pub attempts: u32,
    /// An attempt has to be answered within this; 0 is off.
    pub per_try_timeout_ms: u64,
    /// What counts as a failure.
    pub retry_on: Vec<RetryOn>,
    /// For `retriable-status-codes`.
    pub retriable_status_codes: Vec<u16>,
    /// For `retriable-headers`: any of these header conditions on an answer.
    pub retriable_headers: BTreeMap<String, StringMatch>,
    /// Requests of any method may be repeated, those too that an application may have processed.
    pub non_idempotent: bool,
    /// Waits before retries.
    pub back_off: BackOff,
    /// Endpoints that this request hasn't tried come first.
    pub other_hosts: bool,
    /// Bodies are kept up to so many bytes; requests with longer ones are not retried.
    pub body_bytes: u64,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 2,
            per_try_timeout_ms: 0,
            retry_on: vec![
                RetryOn::ConnectFailure,
                RetryOn::RefusedStream,
                RetryOn::Unavailable,
                RetryOn::Cancelled,
            ],
            retriable_status_codes: Vec::new(),
            retriable_headers: BTreeMap::new(),
            non_idempotent: false,
            back_off: BackOff::default(),
            other_hosts: true,
            body_bytes: 1 << 20,
        }
    }
}

/// Random waits from nothing up to a bound that doubles with each retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackOff {
    /// The first bound; further ones are 3, 7, 15 times it.
    pub base_ms: u64,
    /// No bound is above this; ten times `base` where it is left out.
    pub max_ms: Option<u64>,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            base_ms: 25,
            max_ms: None,
        }
    }
}

/// What is retried, in Envoy's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    /// A status from 500, or no answer.
    #[serde(rename = "5xx")]
    ServerError,
    /// 502, 503, 504, or no answer.
    GatewayError,
    /// No answer.
    Reset,
    /// No answer, and nothing of the request had been sent.
    ResetBeforeRequest,
    /// No connection.
    ConnectFailure,
    /// An answer with `x-envoy-ratelimited`.
    #[serde(rename = "envoy-ratelimited")]
    EnvoyRateLimited,
    /// 409.
    #[serde(rename = "retriable-4xx")]
    Retriable4xx,
    /// The other side refused the stream.
    RefusedStream,
    /// One of `retriable_status_codes`.
    RetriableStatusCodes,
    /// One of `retriable_headers`.
    RetriableHeaders,
    /// gRPC's 1.
    Cancelled,
    /// gRPC's 4.
    DeadlineExceeded,
    /// gRPC's 13.
    Internal,
    /// gRPC's 8.
    ResourceExhausted,
    /// gRPC's 14.
    Unavailable,
}
