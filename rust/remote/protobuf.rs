//! Protobuf's wire format, as far as one message needs it.

/// These bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// A field of a message by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a>(pub u64, pub Value<'a>);

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A variable-length number.
    Number(u64),
    /// A text, bytes, or a message.
    Bytes(&'a [u8]),
    /// A number of four or eight bytes, which nobody here looks at.
    Fixed,
}

/// The fields of a message, in their order; ends at the first that is none.
pub fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<Field<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = take(&mut rest);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<Field<'a>, Malformed> {
    let tag = number(rest)?;
    let value = match tag & 7 {
        0 => Value::Number(number(rest)?),
        1 => skip(rest, 8)?,
        2 => {
            let len = usize::try_from(number(rest)?).map_err(|_| Malformed)?;
            let (bytes, after) = rest.split_at_checked(len).ok_or(Malformed)?;
            *rest = after;
            Value::Bytes(bytes)
        }
        5 => skip(rest, 4)?,
        _ => return Err(Malformed),
    };
    Ok(Field(tag >> 3, value))
}

fn skip<'a>(rest: &mut &'a [u8], len: usize) -> Result<Value<'a>, Malformed> {
    *rest = rest.get(len..).ok_or(Malformed)?;
    Ok(Value::Fixed)
}

fn number(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut found = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(Malformed)?;
        *rest = after;
        found |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(found);
        }
    }
    Err(Malformed)
}

/// Appends a field of bytes.
pub fn write_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a field of a number.
pub fn write_number(out: &mut Vec<u8>, field: u64, number: u64) {
    varint(out, field << 3);
    varint(out, number);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        if number < 0x80 {
            return out.push(low);
        }
        out.push(low | 0x80);
        number >>= 7;
    }
}
