//! Delays and failures on purpose.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::StringMatch;

/// What a route does to its requests to try how callers bear it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// Makes requests wait.
    pub delay: Option<Delay>,
    /// Refuses requests, after the delay where both are chosen.
    pub abort: Option<Abort>,
    /// Header name to condition; only requests that meet all are concerned.
    pub headers: BTreeMap<String, StringMatch>,
}

/// How long requests wait; one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delay {
    /// Always so long.
    pub fixed_ms: Option<u64>,
    /// Distributed exponentially with this mean.
    pub exponential_ms: Option<u64>,
    /// How many requests.
    pub percentage: Percentage,
}

/// What requests are refused with; one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Abort {
    /// 200 to 599.
    pub status: Option<u16>,
    /// A status of gRPC by its name.
    pub grpc_status: Option<String>,
    /// How many requests.
    pub percentage: Percentage,
}

/// A share from 0 to 100, kept in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentage(u32);

impl Percentage {
    /// Millionths in the whole.
    pub const WHOLE: u32 = 1_000_000;

    /// Millionths in one percent.
    const ONE: f64 = 10_000.0;

    /// So many whole percent.
    pub const fn of(percent: u8) -> Self {
        Self(percent as u32 * (Self::WHOLE / 100))
    }

    /// The share in millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

impl Default for Percentage {
    /// All.
    fn default() -> Self {
        Self(Self::WHOLE)
    }
}

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(deserializer)?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(serde::de::Error::custom("a percentage is from 0 to 100"));
        }
        Ok(Self(millionths(percent)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to 1,000,000"
)]
fn millionths(percent: f64) -> u32 {
    (percent * Percentage::ONE).round() as u32
}

impl Serialize for Percentage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / Self::ONE)
    }
}
