//! What a log line quotes of a request.

use super::Record;
use crate::protocol::http1::RequestHead;

/// Bytes of a refused head that its log line shows.
const REFUSED_SHOWN: usize = 128;

/// What a log line quotes of the request; copied, since the head is gone when the line is written.
#[derive(Debug, Default)]
pub(in crate::proxy::http) struct LogFields {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) version: &'static str,
    pub(super) authority: Vec<u8>,
    pub(super) user_agent: Vec<u8>,
    pub(super) forwarded_for: Vec<u8>,
    pub(in crate::proxy::http) request_id: Vec<u8>,
}

impl LogFields {
    pub(in crate::proxy::http) fn of(head: &RequestHead<'_, '_>) -> Self {
        let field = |index| head.value(index).unwrap_or_default().to_vec();
        Self {
            method: head.method.as_bytes().to_vec(),
            target: head.target.as_bytes().to_vec(),
            version: head.version.as_str(),
            authority: head.authority.text.as_bytes().to_vec(),
            user_agent: field(head.known.user_agent),
            forwarded_for: field(head.known.forwarded_for),
            request_id: field(head.known.request_id),
        }
    }
}

impl Record {
    /// Quotes what can be quoted of a head that couldn't be parsed.
    pub(in crate::proxy::http) fn refused_head(&mut self, head: &[u8]) {
        if self.current.listener.access_log.is_some() {
            let line = head.split(|byte| *byte == b'\r' || *byte == b'\n').next();
            let line = line.unwrap_or_default();
            let target = line.get(..REFUSED_SHOWN).unwrap_or(line).to_vec();
            self.log = Some(Box::new(LogFields {
                target,
                ..LogFields::default()
            }));
        }
    }
}
