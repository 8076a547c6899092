//! What a head consists of, whatever protocol carried it.

/// One field: a name as it came and a value without surrounding blanks.
pub use httparse::Header as Field;

/// The most fields a head can have, whatever the configuration says: a [`FieldSet`] holds as many.
pub const MAX_FIELDS: usize = 256;

/// Versions of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl Version {
    /// As logs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }

    /// As Via writes it (RFC 9110 §7.6.3).
    pub const fn number(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// A set of fields of one head, by index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FieldSet([u64; MAX_FIELDS / 64]);

impl FieldSet {
    /// None.
    pub const EMPTY: Self = Self([0; MAX_FIELDS / 64]);

    /// Adds one.
    #[inline]
    pub fn insert(&mut self, index: u8) {
        if let Some(word) = self.0.get_mut(usize::from(index >> 6)) {
            *word |= 1 << (index & 63);
        }
    }

    /// Whether it is in.
    #[inline]
    pub fn contains(&self, index: u8) -> bool {
        self.0
            .get(usize::from(index >> 6))
            .is_some_and(|word| word & (1 << (index & 63)) != 0)
    }

    /// Both together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut both = *self;
        for (mine, theirs) in both.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
        both
    }

    /// Whether nothing is in.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; MAX_FIELDS / 64]
    }
}

/// The values of every field of this name, compared without case, in their order.
pub fn values<'b, 's>(
    fields: &'s [Field<'b>],
    name: &'s str,
) -> impl Iterator<Item = &'b [u8]> + use<'b, 's> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value)
}

/// With the index that sets and known fields use; a head never has more than [`MAX_FIELDS`].
pub(crate) fn numbered<'b, 's>(
    fields: &'s [Field<'b>],
) -> impl Iterator<Item = (u8, &'s Field<'b>)> + use<'b, 's> {
    (0..=u8::MAX).zip(fields)
}
