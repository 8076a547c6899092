//! gRPC's health service: the one question of it that is asked, and its answer.
//!
//! After gRPC's own "Health Checking Protocol" and "gRPC over HTTP2"; both messages have one field
//! that matters, so that nothing is generated.

/// The method.
pub const PATH: &str = "/grpc.health.v1.Health/Check";

/// Bytes of an answer: one number, and room for fields that a later version may add.
pub const ANSWER_BYTES_MAX: usize = 1024;

/// Flag and length in front of a message.
const PREFIX: usize = 5;

/// Field 1 as a string, of a question.
const SERVICE: u8 = (1 << 3) | 2;
/// Field 1 as a number, of an answer.
const STATUS: u64 = 1 << 3;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It takes calls.
    Serving,
    /// It is there and takes none, or doesn't say.
    NotServing,
}

/// A framed question for `service`; empty: for the server as a whole.
pub fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len().saturating_add(8));
    if !service.is_empty() {
        message.push(SERVICE);
        put_number(service.len() as u64, &mut message);
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut framed = Vec::with_capacity(message.len().saturating_add(PREFIX));
    framed.push(0);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.append(&mut message);
    framed
}

/// Reads a framed answer; `None` where it is none.
pub fn answer(framed: &[u8]) -> Option<Status> {
    let (prefix, message) = framed.split_at_checked(PREFIX)?;
    let (flag, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *flag != 0 || u32::try_from(message.len()).ok()? != length {
        return None;
    }
    // A field that is left out is 0, which is UNKNOWN.
    let mut status = 0;
    let mut rest = message;
    while !rest.is_empty() {
        let tag = take_number(&mut rest)?;
        match tag & 7 {
            0 => {
                let value = take_number(&mut rest)?;
                if tag == STATUS {
                    status = value;
                }
            }
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(take_number(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(if status == 1 {
        Status::Serving
    } else {
        Status::NotServing
    })
}

fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7F {
        out.push(((number & 0x7F) as u8) | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7F) as u8);
}

/// A number of up to ten bytes, seven bits each, the lowest first.
fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7F).wrapping_shl(shift);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
#[path = "grpc_health_tests.rs"]
mod tests;
