//! `/clusters`, `/listeners` and `/config_dump`: what runs, for people and programs.

use std::fmt::Write as _;

use hyper::StatusCode;
use serde_json::{Map, Value};

use super::View;
use super::params::Params;
use super::reply::Reply;
use super::stats::pattern;

/// `/clusters`: `cluster::key::value` and `cluster::endpoint::key::value`, as Envoy writes them.
pub(super) fn clusters(view: &dyn View, params: &Params) -> Reply {
    in_format(params, &view.clusters(), |name, cluster, out| {
        for (key, value) in members(cluster) {
            match key {
                "endpoints" => endpoints(name, value, out),
                "name" => {}
                _ => fact(name, key, value, out),
            }
        }
    })
}

fn endpoints(cluster: &str, endpoints: &Value, out: &mut String) {
    for (endpoint, facts) in members(endpoints) {
        let name = format!("{cluster}::{endpoint}");
        for (key, value) in members(facts).filter(|(key, _)| *key != "address") {
            fact(&name, key, value, out);
        }
    }
}

/// `/listeners`: `name::address`.
pub(super) fn listeners(view: &dyn View, params: &Params) -> Reply {
    in_format(params, &view.listeners(), |name, listener, out| {
        let address = listener.get("address").and_then(Value::as_str);
        let _ = writeln!(out, "{name}::{}", address.unwrap_or("-"));
    })
}

/// `/config_dump`: all of it, one kind, or what a pattern names.
pub(super) fn config(view: &dyn View, params: &Params) -> Reply {
    let Value::Object(mut dump) = view.config_dump() else {
        return Reply::refusal(StatusCode::SERVICE_UNAVAILABLE, "nothing runs yet");
    };
    if let Some(kind) = params.value("resource") {
        let is_kind = |(name, value): &(&String, &Value)| *name == kind && value.is_array();
        if !dump.iter().any(|member| is_kind(&member)) {
            let kinds = dump.iter().filter(|(_, value)| value.is_array());
            let kinds: Vec<_> = kinds.map(|(name, _)| name.as_str()).collect();
            let why = format!("resource is one of {}", kinds.join(", "));
            return Reply::refusal(StatusCode::BAD_REQUEST, &why);
        }
        dump.retain(|name, value| name == kind || !value.is_array());
    }
    if let Some(text) = params.value("name_regex") {
        let names = match pattern(text) {
            Ok(names) => names,
            Err(refusal) => return refusal,
        };
        for resources in dump.values_mut().filter_map(Value::as_array_mut) {
            resources.retain(|resource| {
                let name = resource.get("name").and_then(Value::as_str);
                name.is_some_and(|name| names.is_match(name))
            });
        }
    }
    Reply::json(&Value::Object(dump))
}

/// The value as JSON where that was asked for, else written member by member.
fn in_format(params: &Params, value: &Value, write: fn(&str, &Value, &mut String)) -> Reply {
    match params.value("format") {
        Some("json") => Reply::json(value),
        None | Some("text") => {
            let mut out = String::new();
            for (name, member) in members(value) {
                write(name, member, &mut out);
            }
            Reply::text(out)
        }
        Some(_) => Reply::refusal(StatusCode::BAD_REQUEST, "format is text or json"),
    }
}

/// One line, or one for each member of what holds several.
fn fact(name: &str, key: &str, value: &Value, out: &mut String) {
    let _ = match value {
        Value::Object(inner) => {
            for (inner_key, inner_value) in inner {
                fact(name, &format!("{key}.{inner_key}"), inner_value, out);
            }
            Ok(())
        }
        Value::String(text) => writeln!(out, "{name}::{key}::{text}"),
        Value::Null => Ok(()),
        other => writeln!(out, "{name}::{key}::{other}"),
    };
}

/// An object's members, or a list's by what names them.
fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let named = value.as_object().into_iter().flat_map(Map::iter);
    let listed = value.as_array().into_iter().flatten().map(|item| {
        let name = item.get("name").or_else(|| item.get("address"));
        (name.and_then(Value::as_str).unwrap_or("-"), item)
    });
    named
        .map(|(name, member)| (name.as_str(), member))
        .chain(listed)
}
