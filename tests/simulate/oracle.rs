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

/// Position of the route that `view` takes in a table of order `document`: the first that matches, of
/// those that name the most specific host that any route names.
pub(crate) fn find_first(routes: &[Route], view: &RequestView<'_>) -> Option<usize> {
    let host = |route: &Route| host_rank(&route.matches.hosts, view.host);
    let best = routes.iter().filter_map(host).max()?;
    routes.iter().position(|route| {
        let matches = &route.matches;
        // Of a route with several hosts each counts for itself.
        let hosts: Vec<&String> = matches.hosts.iter().collect();
        let named = |host: &&String| host_rank(&[(*host).clone()], view.host) == Some(best);
        (hosts.iter().any(named) || hosts.is_empty() && best == (0, 0))
            && path_rank(matches, view.path).is_some()
            && conditions_hold(matches, view)
    })
}

/// Position of the route that `view` takes.
pub(crate) fn find(routes: &[Route], view: &RequestView<'_>) -> Option<usize> {
    let rank = |(index, route): (usize, &Route)| {
        let matches = &route.matches;
        let host = host_rank(&matches.hosts, view.host)?;
        let path = path_rank(matches, view.path)?;
        let named =
            usize::from(matches.scheme.is_some()) + usize::from(matches.authority.is_some());
        let rest = (
            !matches.methods.is_empty() || matches.method_match.is_some(),
            matches.headers.len() + matches.without_headers.len() + named,
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

/// Exact, then regex, then prefix; among these the length, then whole segments before mere text.
fn path_rank(matches: &Match, actual: &str) -> Option<(u8, usize, bool)> {
    let spelling = |text: &str| {
        if matches.ignore_path_case {
            text.to_lowercase()
        } else {
            text.to_owned()
        }
    };
    let same = spelling(actual);
    match &matches.path {
        None => Some((0, 0, true)),
        Some(PathMatch::Exact(text)) => (spelling(text) == same).then_some((2, 0, true)),
        Some(PathMatch::Regex(text)) => full_match(text, actual).then_some((1, 0, true)),
        Some(PathMatch::Prefix(text)) => {
            let text = spelling(text.trim_end_matches('/'));
            let rest = same.strip_prefix(&text)?;
            let whole = text.is_empty() || rest.is_empty() || rest.starts_with('/');
            whole.then_some((0, text.len(), true))
        }
        Some(PathMatch::StringPrefix(text)) => {
            let begins = same.starts_with(&spelling(text));
            begins.then_some((0, text.len(), text.is_empty()))
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
    let one = |wanted: &Option<StringMatch>, value: &str| {
        wanted.iter().all(|wanted| text_holds(wanted, &[value]))
    };
    (matches.methods.is_empty() || matches.methods.iter().any(|method| method == view.method))
        && one(&matches.method_match, view.method)
        && one(&matches.scheme, view.scheme)
        && one(&matches.authority, view.authority)
        && matches.without_headers.iter().all(|(name, unwanted)| {
            match (unwanted, fields.get(name)) {
                (StringMatch::Present(_), values) => !text_holds(unwanted, values.unwrap_or(&none)),
                (_, None) => !text_holds(unwanted, &[""]),
                (_, Some(values)) => !text_holds(unwanted, values),
            }
        })
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
