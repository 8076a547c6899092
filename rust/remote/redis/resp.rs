//! Redis' serialization protocol, version 2: commands out, replies in.

/// Bytes of a line or a text of a reply. Ours are numbers and short errors.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Elements of a list in a reply.
const LIST_MAX: usize = 16;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is done; a status or a text.
    Text(Vec<u8>),
    /// It failed; why.
    Error(Vec<u8>),
    /// A number.
    Integer(i64),
    /// There is no such thing.
    Nothing,
    /// Several; none of them is a list.
    List(Vec<Self>),
}

/// These bytes are no reply, or one that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Appends a command to `out`.
pub fn write(out: &mut Vec<u8>, words: &[&[u8]]) {
    let mut digits = itoa::Buffer::new();
    out.push(b'*');
    out.extend_from_slice(digits.format(words.len()).as_bytes());
    out.extend_from_slice(b"\r\n");
    for word in words {
        out.push(b'$');
        out.extend_from_slice(digits.format(word.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// The reply at the start of `bytes` and its length; none while it isn't complete.
///
/// # Errors
/// It is none.
pub fn read(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
    let mut rest = bytes;
    let reply = take(&mut rest, true)?;
    Ok(reply.map(|reply| (reply, bytes.len().saturating_sub(rest.len()))))
}

fn take(rest: &mut &[u8], lists: bool) -> Result<Option<Reply>, Malformed> {
    let Some(line) = line(rest)? else {
        return Ok(None);
    };
    let (kind, text) = line.split_first().ok_or(Malformed)?;
    let reply = match kind {
        b'+' => Reply::Text(text.to_vec()),
        b'-' => Reply::Error(text.to_vec()),
        b':' => Reply::Integer(number(text)?),
        b'$' if text == b"-1" => Reply::Nothing,
        b'*' if text == b"-1" && lists => Reply::Nothing,
        b'$' => return text_of(rest, bounded(text, TEXT_BYTES_MAX)?),
        b'*' if lists => return list(rest, bounded(text, LIST_MAX)?),
        _ => return Err(Malformed),
    };
    Ok(Some(reply))
}

fn list(rest: &mut &[u8], len: usize) -> Result<Option<Reply>, Malformed> {
    let mut found = Vec::with_capacity(len);
    for _ in 0..len {
        match take(rest, false)? {
            Some(reply) => found.push(reply),
            None => return Ok(None),
        }
    }
    Ok(Some(Reply::List(found)))
}

fn text_of(rest: &mut &[u8], len: usize) -> Result<Option<Reply>, Malformed> {
    let Some((text, after)) = rest.split_at_checked(len) else {
        return Ok(None);
    };
    let Some((end, after)) = after.split_first_chunk::<2>() else {
        return Ok(None);
    };
    if end != b"\r\n" {
        return Err(Malformed);
    }
    *rest = after;
    Ok(Some(Reply::Text(text.to_vec())))
}

fn line<'b>(rest: &mut &'b [u8]) -> Result<Option<&'b [u8]>, Malformed> {
    let Some(end) = memchr::memchr(b'\r', rest) else {
        let fits = rest.len() <= TEXT_BYTES_MAX;
        return if fits { Ok(None) } else { Err(Malformed) };
    };
    let (line, after) = rest.split_at_checked(end).ok_or(Malformed)?;
    if line.len() > TEXT_BYTES_MAX {
        return Err(Malformed);
    }
    match after {
        [b'\r', b'\n', after @ ..] => {
            *rest = after;
            Ok(Some(line))
        }
        [b'\r'] => Ok(None),
        _ => Err(Malformed),
    }
}

fn number(text: &[u8]) -> Result<i64, Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed)?;
    text.parse().map_err(|_| Malformed)
}

fn bounded(text: &[u8], most: usize) -> Result<usize, Malformed> {
    let len = usize::try_from(number(text)?).map_err(|_| Malformed)?;
    if len <= most { Ok(len) } else { Err(Malformed) }
}

#[cfg(test)]
#[path = "resp_tests.rs"]
mod tests;
