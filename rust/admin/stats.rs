//! `/stats`: one line per number, by Envoy's habit of dotted names.

use std::fmt::Write as _;

use hyper::StatusCode;
use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};

use super::View;
use super::params::Params;
use super::reply::Reply;

/// A pattern's length, and the memory of its compiled form: the engine is linear in both.
const PATTERN_BYTES: usize = 1024;
const PATTERN_MEMORY: usize = 256 * 1024;

/// `/stats` in one of its formats.
pub(super) fn stats(view: &dyn View, params: &Params) -> Reply {
    let format = params.value("format").unwrap_or("text");
    let filter = match params.value("filter").map(pattern).transpose() {
        Ok(filter) => filter,
        Err(refusal) => return refusal,
    };
    let used_only = params.on("usedonly");
    if format == "prometheus" {
        if filter.is_some() || used_only {
            let why = "filter and usedonly go with format=text and format=json";
            return Reply::refusal(StatusCode::BAD_REQUEST, why);
        }
        return Reply::prometheus(view.stats_prometheus());
    }
    let mut numbers = Vec::new();
    flatten("", &view.stats_json(), &mut numbers);
    numbers.retain(|(name, value)| {
        let matches = filter.as_ref().is_none_or(|filter| filter.is_match(name));
        matches && !(used_only && value.as_f64() == Some(0.0))
    });
    match format {
        "text" => Reply::text(lines(numbers)),
        "json" => {
            let numbers = numbers.into_iter();
            let stats: Vec<_> = numbers
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect();
            Reply::json(&json!({ "stats": stats }))
        }
        _ => Reply::refusal(
            StatusCode::BAD_REQUEST,
            "format is text, json or prometheus",
        ),
    }
}

/// Compiles a pattern that came with a request.
pub(super) fn pattern(text: &str) -> Result<Regex, Reply> {
    let bad = |why: String| Reply::refusal(StatusCode::BAD_REQUEST, &why);
    if text.len() > PATTERN_BYTES {
        return Err(bad(format!(
            "the pattern is longer than {PATTERN_BYTES} bytes"
        )));
    }
    RegexBuilder::new(text)
        .size_limit(PATTERN_MEMORY)
        .dfa_size_limit(PATTERN_MEMORY)
        .build()
        .map_err(|error| bad(error.to_string()))
}

/// Collects the numbers below `value`; what has none yet, as a quantile of nothing, is left out.
fn flatten(name: &str, value: &Value, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let key = scope(key, member);
                let dot = if name.is_empty() { "" } else { "." };
                flatten(&format!("{name}{dot}{key}"), member, out);
            }
        }
        Value::Null => {}
        other => out.push((name.to_owned(), other.clone())),
    }
}

/// What holds named things is called as one of them is: `cluster.api-v1.…`.
fn scope<'a>(key: &'a str, member: &Value) -> &'a str {
    let things = member
        .as_object()
        .is_some_and(|members| !members.is_empty() && members.values().all(Value::is_object));
    if things {
        key.strip_suffix('s').unwrap_or(key)
    } else {
        key
    }
}

fn lines(numbers: Vec<(String, Value)>) -> String {
    let mut out = String::new();
    for (name, value) in numbers {
        let _ = writeln!(out, "{}: {value}", name.escape_debug());
    }
    out
}
