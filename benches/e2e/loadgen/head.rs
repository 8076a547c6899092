//! What stands in an answer's head: status, framing, reuse, and who answered.

use crate::body::{Chunks, Framing};
use crate::tally::{Failure, Kind};

/// More fields than any answer of the backend and its proxies has.
const FIELDS: usize = 64;

/// What the generator wants to know of an answer's head.
pub(crate) struct Head {
    pub(crate) end: usize,
    pub(crate) status: u16,
    pub(crate) reusable: bool,
    pub(crate) framing: Framing,
    pub(crate) backend: Option<std::ops::Range<usize>>,
    pub(crate) echo: Option<std::ops::Range<usize>>,
}

impl Head {
    /// The final head at the front of `bytes`, if it is whole; interim ones before it are passed over.
    pub(crate) fn parse(bytes: &[u8], head_only: bool) -> Result<Option<Self>, Failure> {
        let mut start = 0;
        loop {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS];
            let mut response = httparse::Response::new(&mut fields);
            let rest = bytes.get(start..).unwrap_or_default();
            let parsed = response
                .parse(rest)
                .map_err(|error| Failure::new(Kind::Head, error))?;
            let httparse::Status::Complete(length) = parsed else {
                return Ok(None);
            };
            start += length;
            let status = response.code.unwrap_or_default();
            if status >= 200 {
                let mut head = Self::read(&response, bytes)?;
                head.end = start;
                let bodyless = head_only || status == 204 || status == 304;
                head.framing = Framing::of(head.framing, bodyless);
                return Ok(Some(head));
            }
        }
    }

    fn read(response: &httparse::Response<'_, '_>, bytes: &[u8]) -> Result<Self, Failure> {
        let mut head = Self {
            end: 0,
            status: response.code.unwrap_or_default(),
            reusable: response.version == Some(1),
            framing: Framing::Close,
            backend: None,
            echo: None,
        };
        for field in &*response.headers {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let text = std::str::from_utf8(field.value).unwrap_or_default();
                let length = text
                    .parse()
                    .map_err(|_| Failure::new(Kind::Head, "a wrong content-length"))?;
                head.framing = Framing::Length(length);
            } else if is("transfer-encoding") {
                head.framing = Framing::Chunked(Chunks::default());
            } else if is("connection") {
                head.reusable &= !field.value.eq_ignore_ascii_case(b"close");
            } else if is("x-backend") {
                head.backend = Some(place(bytes, field.value));
            } else if is("x-echo") {
                head.echo = Some(place(bytes, field.value));
            }
        }
        Ok(head)
    }
}

/// Where a field's value stands in the buffer that it was parsed from.
fn place(whole: &[u8], part: &[u8]) -> std::ops::Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    start..start.wrapping_add(part.len())
}
