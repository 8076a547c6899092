//! Changes of fields: in their order, with values that a request completes.

use std::sync::Arc;

use super::rules::TOKEN_HINT;
use super::rules::is_token;
use super::template::Template;
use crate::protocol::editable::is_ours;
use crate::wire::Problems;
use crate::wire::route;

/// Changes, to be made one after the other.
pub type HeaderEdits = Box<[HeaderEdit]>;

/// One change.
#[derive(Debug, Clone)]
pub struct HeaderEdit {
    /// In lower case.
    pub name: Arc<str>,
    /// What becomes of the field.
    pub change: Change,
}

/// What becomes of a field.
#[derive(Debug, Clone)]
pub enum Change {
    /// It has this value alone; none is no change.
    Set(Template),
    /// It has this value too.
    Add(Template),
    /// It goes.
    Remove,
}

impl HeaderEdit {
    /// A field with this value alone.
    pub fn set(name: &str, value: &[u8]) -> Self {
        let change = Change::Set(Template::text(value));
        let name = Arc::from(name);
        Self { name, change }
    }

    /// A field with this value too.
    pub fn add(name: &str, value: &[u8]) -> Self {
        let change = Change::Add(Template::text(value));
        let name = Arc::from(name);
        Self { name, change }
    }
}

/// Compiles what stands at `at`; no edits are an empty list. `None` when it noted a problem.
pub(super) fn compile(
    edits: Option<&route::HeaderEdits>,
    of_response: bool,
    at: &str,
    problems: &mut Problems,
) -> Option<HeaderEdits> {
    let Some(edits) = edits else {
        return Some(Box::default());
    };
    let mut compiled = Vec::new();
    let mut sound = true;
    let set = edits.set.iter().map(|edit| ("set", edit));
    let add = edits.add.iter().map(|edit| ("add", edit));
    for (key, (name, value)) in set.chain(add) {
        let at = format!("{at}.{key}.{name}");
        let name = checked_name(name, &at, problems);
        let value = checked_value(value, of_response, &at, problems);
        sound &= name.is_some() && value.is_some();
        compiled.extend(name.zip(value).map(|(name, value)| HeaderEdit {
            name,
            change: match key {
                "set" => Change::Set(value),
                _ => Change::Add(value),
            },
        }));
    }
    for (index, name) in edits.remove.iter().enumerate() {
        let name = checked_name(name, &format!("{at}.remove[{index}]"), problems);
        sound &= name.is_some();
        compiled.extend(name.map(|name| HeaderEdit {
            name,
            change: Change::Remove,
        }));
    }
    sound.then(|| compiled.into())
}

fn checked_name(name: &str, at: &str, problems: &mut Problems) -> Option<Arc<str>> {
    let lower = name.to_ascii_lowercase();
    let (code, message, hint) = if !is_token(name) {
        let message = format!("`{name}` is no header name");
        ("header_name_invalid", message, TOKEN_HINT)
    } else if lower == "host" {
        let message = "the host is not changed as a header".to_owned();
        (
            "header_not_editable",
            message,
            "write rewrite: {host: …}, or host_rewrite of a target",
        )
    } else if is_ours(&lower) {
        let message = format!("`{name}` belongs to one connection or frames the message");
        (
            "header_not_editable",
            message,
            "leave it out: each side gets its own",
        )
    } else {
        return Some(lower.into());
    };
    problems.add(code, at, message, hint);
    None
}

fn checked_value(
    value: &str,
    of_response: bool,
    at: &str,
    problems: &mut Problems,
) -> Option<Template> {
    Template::parse(value, of_response)
        .map_err(|error| problems.add("header_value_invalid", at, error.message, error.hint))
        .ok()
}
