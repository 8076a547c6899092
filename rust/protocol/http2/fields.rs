//! Fields out of a header map and into one.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

use crate::protocol::edits::FieldEdits;
use crate::protocol::error::HeadError;
use crate::protocol::head::Field;
use crate::protocol::head::FieldSet;
use crate::protocol::head::MAX_FIELDS;
use crate::protocol::head::Version;
use crate::protocol::head::numbered;
use crate::protocol::http1::FieldStorage;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::names::trim_blanks;

/// Room for the fields that we add, so that the map grows once.
const ADDED: usize = 8;

/// The fields as heads have them. Bytes are counted by the `h2` crate's own bound on header lists.
///
/// Blanks around values are none of theirs (TR-8). The crate takes `"` in names, RFC 9110 doesn't.
pub(super) fn read<'b, 's>(
    map: &'b HeaderMap,
    storage: &'s mut FieldStorage<'b>,
    limits: &HeadLimits,
) -> Result<&'s [Field<'b>], HeadError> {
    if map.len() > limits.count.min(MAX_FIELDS) {
        return Err(HeadError::TooManyFields);
    }
    let list = storage.list();
    list.reserve_exact(map.len());
    for (name, value) in map {
        let name = name.as_str();
        if name.contains('"') {
            return Err(HeadError::FieldName);
        }
        let value = trim_blanks(value.as_bytes());
        list.push(Field { name, value });
    }
    Ok(list)
}

/// A map with the fields that pass.
///
/// Each value is copied for itself: a slice of one common copy would keep all of them alive as long
/// as the connection's compression table holds any. Secrets stay out of that table (RFC 7541 §7.1.3),
/// since requests of different clients share it.
pub(super) fn passing(fields: &[Field<'_>], withheld: &FieldSet) -> Result<HeaderMap, HeadError> {
    let mut map = HeaderMap::with_capacity(fields.len().saturating_add(ADDED));
    for (index, field) in numbered(fields) {
        if withheld.contains(index) {
            continue;
        }
        let name =
            HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| HeadError::FieldName)?;
        let mut value = value(field.value)?;
        if matches!(name, header::AUTHORIZATION | header::COOKIE) {
            value.set_sensitive(true);
        }
        map.append(name, value);
    }
    Ok(map)
}

/// A value from bytes.
pub(super) fn value(bytes: &[u8]) -> Result<HeaderValue, HeadError> {
    HeaderValue::from_bytes(bytes).map_err(|_| HeadError::FieldValue)
}

/// Appends what a route adds.
pub(super) fn append(edits: Option<&FieldEdits>, map: &mut HeaderMap) -> Result<(), HeadError> {
    for (name, text) in edits.iter().flat_map(|edits| edits.added()) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeadError::FieldName)?;
        map.append(name, value(text)?);
    }
    Ok(())
}

/// `1.1 pseudonym`, with the version of the message as it was received.
pub(super) fn via(version: Version, pseudonym: &str) -> Result<HeaderValue, HeadError> {
    value(format!("{} {pseudonym}", version.number()).as_bytes())
}
