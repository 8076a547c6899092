//! Route matching as the documentation says it, without any index: every route is compared with
//! the request, and the most specific of those that match is taken.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use meshcore::route::RequestView;
use meshcore::wire::route::Match;
use meshcore::wire::route::PathMatch;
use meshcore::wire::route::Route;
use meshcore::wire::route::StringMatch;
use regex::Regex;

/// Position of the route that `view` takes.
pub(crate) fn find(routes: &[Route], view: &RequestView<'_>) -> Option<usize> {
    let rank = |(index, route): (usize, &Route)| {
        let matches = &route.matches;
        let host = host_rank(&matches.hosts, view.host)?;
        let path = path_rank(matches.path.as_ref(), view.path)?;
        let rest = (
            !matches.methods.is_empty(),
            matches.headers.len(),
            matches.query.len(),
            matches.identity.is_some(),
        );
        conditions_hold(matches, view).then_some(((host, path, rest, Reverse(index)), index))
    };
    let ranked = routes.iter().enumerate().filter_map(rank);
    ranked.max().map(|(_, index)| index)
}

/// How specific the best host pattern is that matches; `None` when none does.
fn host_rank(patterns: &[String], host: &str) -> Option<(u8, usize)> {
    let host = host.to_lowercase();
    let rank = |pattern: &String| {
        let pattern = pattern.to_lowercase();
        match pattern.strip_prefix('*') {
            Some("") => Some((0, 0)),
            Some(end) => (host.len() > end.len() && host.ends_with(end)).then_some((1, end.len())),
            None => (host == pattern).then_some((2, 0)),
        }
    };
    if patterns.is_empty() {
        return Some((0, 0));
    }
    patterns.iter().filter_map(rank).max()
}

fn path_rank(path: Option<&PathMatch>, actual: &str) -> Option<(u8, usize)> {
    match path {
        None => Some((0, 0)),
        Some(PathMatch::Exact(text)) => (text == actual).then_some((2, 0)),
        Some(PathMatch::Regex(text)) => full_match(text, actual).then_some((1, 0)),
        Some(PathMatch::Prefix(text)) => {
            let text = text.trim_end_matches('/');
            let rest = actual.strip_prefix(text)?;
            let whole = text.is_empty() || rest.is_empty() || rest.starts_with('/');
            whole.then_some((0, text.len()))
        }
    }
}

fn conditions_hold(matches: &Match, view: &RequestView<'_>) -> bool {
    let mut fields: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for field in view.fields {
        let value = std::str::from_utf8(field.value).expect("only text is generated");
        fields
            .entry(field.name.to_lowercase())
            .or_default()
            .push(value);
    }
    let mut query: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pair in view.query.into_iter().flat_map(|query| query.split('&')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        query.entry(name).or_insert_with(|| vec![value]);
    }
    let none = Vec::new();
    (matches.methods.is_empty() || matches.methods.iter().any(|method| method == view.method))
        && matches
            .headers
            .iter()
            .all(|(name, wanted)| text_holds(wanted, fields.get(name).unwrap_or(&none)))
        && matches
            .query
            .iter()
            .all(|(name, wanted)| text_holds(wanted, query.get(name.as_str()).unwrap_or(&none)))
        && matches
            .identity
            .iter()
            .all(|wanted| text_holds(wanted, view.identity.as_slice()))
}

fn text_holds(wanted: &StringMatch, values: &[&str]) -> bool {
    match wanted {
        StringMatch::Present(present) => values.is_empty() != *present,
        other => values.iter().any(|value| match other {
            StringMatch::Exact(text) => value == text,
            StringMatch::Prefix(text) => value.starts_with(text),
            StringMatch::Suffix(text) => value.ends_with(text),
            StringMatch::Contains(text) => value.contains(text),
            StringMatch::Regex(text) => full_match(text, value),
            StringMatch::Present(_) => false,
        }),
    }
}

/// Whether the whole of `text` matches.
fn full_match(pattern: &str, text: &str) -> bool {
    // The same few patterns come again in every table.
    thread_local! {
        static KNOWN: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) };
    }
    let compile = || Regex::new(&format!("^(?:{pattern})$")).expect("a generated pattern");
    KNOWN.with_borrow_mut(|known| {
        let regex = known.entry(pattern.to_owned()).or_insert_with(compile);
        regex.is_match(text)
    })
}
