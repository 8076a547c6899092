//! The messages of Envoy's rate limit service, `envoy.service.ratelimit.v3`, as far as they are used:
//! a request with one descriptor, and the answer to it.

use super::protobuf::{self, Field, Malformed, Value};

/// Where a call goes.
pub const PATH: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

/// Bytes of an answer: its fields go into a head, which is bounded likewise.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Fields that an answer may add to a response.
const FIELDS_MAX: usize = 32;

/// `RateLimitResponse.Code`: the request is over the limit.
const OVER_LIMIT: u64 = 2;

/// A field's name and value.
pub type OwnedField = (Vec<u8>, Vec<u8>);

/// What is asked: one more request of these.
#[derive(Debug)]
pub struct Question<'a> {
    /// Whose rules count.
    pub domain: &'a str,
    /// What tells the limit, and then whose bucket of it.
    pub entries: &'a [(&'a str, &'a [u8])],
}

/// What is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The request is to be refused.
    pub over: bool,
    /// The limit that decided, where it was told.
    pub told: Option<Told>,
    /// Fields for the response.
    pub fields: Vec<OwnedField>,
    /// The body of a refusal.
    pub body: Vec<u8>,
}

/// A limit as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Requests per unit of time.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// Seconds until they are counted anew.
    pub reset: u64,
}

impl Question<'_> {
    /// Writes a `RateLimitRequest`.
    pub fn write(&self, out: &mut Vec<u8>) {
        protobuf::write_bytes(out, 1, self.domain.as_bytes());
        let mut descriptor = Vec::new();
        for (key, value) in self.entries {
            let mut entry = Vec::new();
            protobuf::write_bytes(&mut entry, 1, key.as_bytes());
            // A string of protobuf is UTF-8, which a field's value need not be.
            let value = String::from_utf8_lossy(value);
            protobuf::write_bytes(&mut entry, 2, value.as_bytes());
            protobuf::write_bytes(&mut descriptor, 1, &entry);
        }
        protobuf::write_bytes(out, 2, &descriptor);
        protobuf::write_number(out, 3, 1);
    }
}

impl Answer {
    /// Reads a `RateLimitResponse`.
    ///
    /// # Errors
    /// It is none.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut answer = Self::default();
        for field in protobuf::fields(bytes) {
            match field? {
                Field(1, Value::Number(code)) => answer.over = code == OVER_LIMIT,
                Field(2, Value::Bytes(status)) => answer.status(status)?,
                Field(3, Value::Bytes(field)) if answer.fields.len() < FIELDS_MAX => {
                    answer.fields.extend(header(field)?);
                }
                Field(5, Value::Bytes(body)) => answer.body = body.to_vec(),
                Field(..) => {}
            }
        }
        Ok(answer)
    }

    /// A `DescriptorStatus`.
    fn status(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut told = Told::default();
        let mut limited = false;
        for field in protobuf::fields(bytes) {
            match field? {
                Field(2, Value::Bytes(limit)) => {
                    limited = true;
                    told.limit = first_number(limit)?.try_into().unwrap_or(u32::MAX);
                }
                Field(3, Value::Number(left)) => {
                    told.remaining = left.try_into().unwrap_or(u32::MAX);
                }
                Field(4, Value::Bytes(time)) => told.reset = first_number(time)?,
                Field(..) => {}
            }
        }
        if limited {
            self.told = Some(told);
        }
        Ok(())
    }
}

/// The field 1 of a message: a limit's requests per unit, a duration's seconds.
fn first_number(bytes: &[u8]) -> Result<u64, Malformed> {
    let mut found = 0;
    for field in protobuf::fields(bytes) {
        if let Field(1, Value::Number(number)) = field? {
            found = number;
        }
    }
    Ok(found)
}

/// A `HeaderValue`; none without a name that a response can have.
fn header(bytes: &[u8]) -> Result<Option<OwnedField>, Malformed> {
    let (mut name, mut value) = (Vec::new(), Vec::new());
    for field in protobuf::fields(bytes) {
        match field? {
            Field(1, Value::Bytes(text)) => name = text.to_ascii_lowercase(),
            Field(2 | 3, Value::Bytes(text)) if !text.is_empty() => value = text.to_vec(),
            Field(..) => {}
        }
    }
    let sound = http::HeaderName::from_lowercase(&name).is_ok()
        && http::HeaderValue::from_bytes(&value).is_ok();
    Ok(sound.then_some((name, value)))
}

#[cfg(test)]
#[path = "rls_tests.rs"]
mod tests;
