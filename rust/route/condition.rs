//! Conditions on method, scheme, authority, fields, query and identity.
//!
//! A field that came several times meets its condition if any of its values does. Of a query
//! parameter that came several times the first counts, and neither names nor values are decoded:
//! both as Envoy does it.

use super::RequestView;
use super::pattern::Pattern;

/// What must hold besides host and path.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// Any of them; empty for every method.
    pub(super) methods: Box<[Box<str>]>,
    /// All of them.
    pub(super) fields: Box<[(Box<str>, TextMatch)]>,
    /// None of them; an absent field counts as an empty one.
    pub(super) without: Box<[(Box<str>, TextMatch)]>,
    /// All of them.
    pub(super) query: Box<[(Box<str>, TextMatch)]>,
    pub(super) identity: Option<TextMatch>,
    /// Boxed, since few have it.
    pub(super) line: Option<Box<LineConditions>>,
}

/// Conditions on what else stands in a request's line, or HTTP/2's pseudo-fields.
#[derive(Debug, Default)]
pub(super) struct LineConditions {
    pub(super) method: Option<TextMatch>,
    pub(super) scheme: Option<TextMatch>,
    pub(super) authority: Option<TextMatch>,
}

/// A condition on one value.
#[derive(Debug)]
pub(super) enum TextMatch {
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<str>),
    Regex(Pattern),
    Present,
    Absent,
}

/// What doesn't hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure<'t> {
    /// `match.path`.
    Path,
    /// `match.method` or `method_match`.
    Method,
    /// `match.scheme`.
    Scheme,
    /// `match.authority`.
    Authority,
    /// One of `match.headers`.
    Header(&'t str),
    /// One of `match.without_headers`.
    WithoutHeader(&'t str),
    /// One of `match.query`.
    Query(&'t str),
    /// `match.identity`.
    Identity,
}

impl Conditions {
    /// The first of them that doesn't hold.
    pub(super) fn failure(&self, view: &RequestView<'_>) -> Option<Failure<'_>> {
        if !self.method_holds(view.method) {
            return Some(Failure::Method);
        }
        if let Some(failed) = self.line.as_ref().and_then(|line| line.failure(view)) {
            return Some(failed);
        }
        let field =
            |(name, condition): &&(Box<str>, TextMatch)| !condition.holds(view.values(name));
        if let Some((name, _)) = self.fields.iter().find(field) {
            return Some(Failure::Header(name));
        }
        let without = |(name, condition): &&(Box<str>, TextMatch)| condition.is_met(view, name);
        if let Some((name, _)) = self.without.iter().find(without) {
            return Some(Failure::WithoutHeader(name));
        }
        let query = |(name, condition): &&(Box<str>, TextMatch)| {
            !condition.holds(parameter(view.query, name))
        };
        if let Some((name, _)) = self.query.iter().find(query) {
            return Some(Failure::Query(name));
        }
        let identity = self.identity.as_ref();
        identity
            .is_some_and(|condition| !condition.holds(view.identity.map(str::as_bytes)))
            .then_some(Failure::Identity)
    }

    /// Whether they hold for every request.
    pub(super) fn is_empty(&self) -> bool {
        self.methods.is_empty()
            && self.fields.is_empty()
            && self.without.is_empty()
            && self.line.is_none()
            && self.query.is_empty()
            && self.identity.is_none()
    }

    /// The smaller, the more specific: steps 3 to 6 of the module's head.
    pub(super) fn specificity(&self) -> impl Ord + use<> {
        use std::cmp::Reverse;
        let line = self.line.as_ref();
        (
            self.methods.is_empty() && line.is_none_or(|line| line.method.is_none()),
            Reverse(self.fields.len() + self.without.len() + line.map_or(0, |line| line.others())),
            Reverse(self.query.len()),
            self.identity.is_none(),
        )
    }

    fn method_holds(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|allowed| **allowed == *method)
    }
}

impl LineConditions {
    fn failure(&self, view: &RequestView<'_>) -> Option<Failure<'static>> {
        let fails = |condition: &Option<TextMatch>, value: &str| {
            let condition = condition.as_ref();
            condition.is_some_and(|condition| !condition.holds([value.as_bytes()]))
        };
        if fails(&self.method, view.method) {
            Some(Failure::Method)
        } else if fails(&self.scheme, view.scheme) {
            Some(Failure::Scheme)
        } else {
            fails(&self.authority, view.authority).then_some(Failure::Authority)
        }
    }

    /// Those that count as fields do.
    fn others(&self) -> usize {
        usize::from(self.scheme.is_some()) + usize::from(self.authority.is_some())
    }
}

impl TextMatch {
    /// Whether a field that must be absent is there.
    fn is_met(&self, view: &RequestView<'_>, name: &str) -> bool {
        let mut values = view.values(name).peekable();
        match self {
            Self::Present | Self::Absent => self.holds(values),
            _ if values.peek().is_none() => self.holds([b"".as_slice()]),
            _ => self.holds(values),
        }
    }

    pub(super) fn holds<'v>(&self, values: impl IntoIterator<Item = &'v [u8]>) -> bool {
        let mut values = values.into_iter();
        match self {
            Self::Exact(text) => values.any(|value| value == text.as_bytes()),
            Self::Prefix(text) => values.any(|value| value.starts_with(text.as_bytes())),
            Self::Suffix(text) => values.any(|value| value.ends_with(text.as_bytes())),
            Self::Contains(text) => {
                values.any(|value| memchr::memmem::find(value, text.as_bytes()).is_some())
            }
            Self::Regex(pattern) => values.any(|value| pattern.matches(value)),
            Self::Present => values.next().is_some(),
            Self::Absent => values.next().is_none(),
        }
    }
}

/// The first value of `name`; a parameter without `=` has an empty one.
pub(super) fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<&'q [u8]> {
    query?
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.as_bytes())
}
