//! Buckets in a Redis: one script takes from one, in one round trip.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use super::resp::{self, Malformed, Reply};
use crate::policy::rate_limit::{Answer, Rate};

const SCRIPT: &str = include_str!("take.lua");

/// What Redis calls the script.
static NAME: LazyLock<String> = LazyLock::new(|| hex(&SHA1_FOR_LEGACY_USE_ONLY, SCRIPT.as_bytes()));

/// Bytes of what tells buckets apart, beyond which their hash stands in the key.
const SUBJECT_BYTES_MAX: usize = 64;

/// Takes from one bucket.
#[derive(Debug)]
pub struct Take<'a> {
    /// The bucket's key.
    pub key: &'a [u8],
    /// How it is filled.
    pub rate: &'a Rate,
    /// How many requests.
    pub wanted: u32,
}

impl Take<'_> {
    /// Appends the command to `out`: with the script's name, or the script itself.
    pub fn write(&self, out: &mut Vec<u8>, whole: bool) {
        let interval = micros(self.rate.interval);
        let most = micros(self.rate.ahead_max);
        let (verb, script) = if whole {
            ("EVAL", SCRIPT)
        } else {
            ("EVALSHA", &**NAME)
        };
        let mut digits = itoa::Buffer::new();
        let words = [
            verb.as_bytes(),
            script.as_bytes(),
            b"1",
            self.key,
            interval.as_bytes(),
            most.as_bytes(),
            digits.format(self.wanted).as_bytes(),
        ];
        resp::write(out, &words);
    }
}

/// The key of the bucket of `subject`: one that is long is hashed.
pub fn key(prefix: &str, subject: &[u8]) -> Vec<u8> {
    let mut key = prefix.as_bytes().to_vec();
    if subject.len() > SUBJECT_BYTES_MAX {
        key.push(b'#');
        key.extend_from_slice(hex(&SHA256, subject).as_bytes());
    } else {
        key.extend_from_slice(subject);
    }
    key
}

/// Whether Redis doesn't know the script (any more).
pub fn is_unknown(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(why) if why.starts_with(b"NOSCRIPT"))
}

/// What a script's reply says.
///
/// # Errors
/// It isn't one.
pub fn answer(reply: &Reply) -> Result<Answer, Malformed> {
    let Reply::List(numbers) = reply else {
        return Err(Malformed);
    };
    let [
        Reply::Integer(granted),
        Reply::Integer(remaining),
        Reply::Integer(reset),
        Reply::Integer(wait),
    ] = &numbers[..]
    else {
        return Err(Malformed);
    };
    let nanos = |micros: i64| u64::try_from(micros).unwrap_or(0).saturating_mul(1_000);
    Ok(Answer {
        granted: u32::try_from(*granted).map_err(|_| Malformed)?,
        remaining: u64::try_from(*remaining).map_err(|_| Malformed)?,
        reset: nanos(*reset),
        wait: nanos(*wait),
    })
}

/// With three digits behind the point, as precise as the rate is.
fn micros(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000, nanos % 1_000)
}

fn hex(algorithm: &'static aws_lc_rs::digest::Algorithm, bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = digest(algorithm, bytes);
    digest
        .as_ref()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_asked_by_the_scripts_name_and_in_full() {
        let rate = Rate {
            requests: 3,
            per: 1_000_000_000,
            interval: 333_333_333,
            ahead_max: 999_999_999,
        };
        let take = Take {
            key: b"k",
            rate: &rate,
            wanted: 7,
        };
        let mut out = Vec::new();
        take.write(&mut out, false);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("*7\r\n$7\r\nEVALSHA\r\n$40\r\n"), "{text}");
        assert!(
            text.ends_with("$1\r\nk\r\n$10\r\n333333.333\r\n$10\r\n999999.999\r\n$1\r\n7\r\n"),
            "{text}"
        );
        let mut out = Vec::new();
        take.write(&mut out, true);
        assert!(out.starts_with(b"*7\r\n$4\r\nEVAL\r\n"));
    }

    #[test]
    fn answers_are_four_numbers() {
        let numbers = |numbers: &[i64]| {
            let list = numbers.iter().map(|number| Reply::Integer(*number));
            answer(&Reply::List(list.collect()))
        };
        let expected = Answer {
            granted: 1,
            remaining: 2,
            reset: 3_000,
            wait: 4_000,
        };
        assert_eq!(numbers(&[1, 2, 3, 4]), Ok(expected));
        assert_eq!(numbers(&[1, 2, 3]), Err(Malformed));
        assert_eq!(numbers(&[-1, 2, 3, 4]), Err(Malformed));
        assert_eq!(answer(&Reply::Error(b"ERR".to_vec())), Err(Malformed));
    }

    #[test]
    fn long_subjects_are_hashed() {
        assert_eq!(key("p:a:", b"x"), b"p:a:x");
        let long = key("p:a:", &[b'x'; 65]);
        assert_eq!(long.len(), 4 + 1 + 64);
        assert_ne!(long, key("p:a:", &[b'y'; 65]));
    }
}
