//! Room for fields, and what Connection says about them.

use std::mem::MaybeUninit;

use super::names::Name;
use super::names::elements;
use super::names::is_token;
use crate::protocol::error::HeadError;
use crate::protocol::head::Field;
use crate::protocol::head::FieldSet;
use crate::protocol::head::MAX_FIELDS;
use crate::protocol::head::numbered;

/// Fields that Connection may name: each costs a walk over all fields, real clients name two.
const MAX_NOMINATED: usize = 32;

/// Room for the fields of one head; making it writes nothing.
#[derive(Debug)]
pub struct FieldStorage<'b> {
    /// What the parser of HTTP/1 fills.
    slots: [MaybeUninit<Field<'b>>; MAX_FIELDS],
    /// For fields that arrive one by one, as from HTTP/2; nothing is allocated before.
    list: Vec<Field<'b>>,
}

impl<'b> FieldStorage<'b> {
    /// Room that isn't initialised.
    #[inline]
    pub const fn new() -> Self {
        Self {
            slots: [const { MaybeUninit::uninit() }; MAX_FIELDS],
            list: Vec::new(),
        }
    }

    /// Room for so many fields, or for all.
    pub(super) fn slots(&mut self, count: usize) -> &mut [MaybeUninit<Field<'b>>] {
        let count = count.min(MAX_FIELDS);
        self.slots.get_mut(..count).unwrap_or_default()
    }

    /// Room for fields that arrive one by one, empty.
    pub(crate) fn list(&mut self) -> &mut Vec<Field<'b>> {
        self.list.clear();
        &mut self.list
    }
}

impl Default for FieldStorage<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// The options of all Connection fields.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    lines: FieldSet,
    nominates: bool,
}

impl Options {
    /// Takes one Connection field.
    pub(super) fn take(&mut self, index: u8, value: &[u8]) {
        self.lines.insert(index);
        // Nearly all there is in practice.
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
            return;
        }
        for option in elements(value) {
            match option.len() {
                5 if option.eq_ignore_ascii_case(b"close") => self.close = true,
                7 if option.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
                _ => self.nominates |= is_token(option),
            }
        }
    }

    /// Drops the fields that Connection names, but for those that it may not.
    pub(super) fn drop_nominated(
        &self,
        fields: &[Field<'_>],
        dropped: &mut FieldSet,
    ) -> Result<(), HeadError> {
        if !self.nominates {
            return Ok(());
        }
        let lines = numbered(fields).filter(|(index, _)| self.lines.contains(*index));
        let options = lines.flat_map(|(_, line)| elements(line.value));
        for (count, option) in options.enumerate() {
            if count == MAX_NOMINATED {
                return Err(HeadError::TooManyOptions);
            }
            if !Name::of(option).is_protected() {
                drop_named(option, fields, dropped);
            }
        }
        Ok(())
    }
}

/// Every field of this name, compared without case.
pub(crate) fn drop_named(name: &[u8], fields: &[Field<'_>], dropped: &mut FieldSet) {
    for (index, field) in numbered(fields) {
        if field.name.as_bytes().eq_ignore_ascii_case(name) {
            dropped.insert(index);
        }
    }
}

/// The value at an index that classification found.
pub(super) fn value_at<'b>(fields: &[Field<'b>], index: Option<u8>) -> Option<&'b [u8]> {
    fields.get(usize::from(index?)).map(|field| field.value)
}
