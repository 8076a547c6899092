//! Paths and hosts in place of those that came.

use regex::bytes::Regex;

use super::host;
use super::pattern::Patterns;
use crate::wire::Problems;
use crate::wire::route;
use crate::wire::route::PathMatch;

/// Bytes of a path made by a substitution, as many as the longest target that a listener can take: one
/// that multiplies what matched must end somewhere.
const MAX_PATH: usize = 32 << 10;

const PATH_HINT: &str = "write `/` and what follows it, percent-encoded";
const PREFIX_HINT: &str = "give the route match: {path: {prefix: …}}, or rewrite the whole path";
const PATTERN_HINT: &str =
    "look-around and back-references don't exist; `^` and `$` bind it to an end of the path";
const SUBSTITUTION_HINT: &str = r"`\0` to `\9` are groups of the pattern, `\\` is a backslash";
const HOST_HINT: &str = "write `example.com`, `example.com:8080` or `[2001:db8::1]`";

/// What an upstream sees in place of what came.
#[derive(Debug, Default)]
pub struct Rewrite {
    path: Option<PathRewrite>,
    /// In place of the authority.
    pub host: Option<Box<str>>,
}

/// A path would be longer than any may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// How a path is made of another one.
#[derive(Debug)]
pub(super) enum PathRewrite {
    Whole(Box<str>),
    /// In place of the first `length` bytes.
    Prefix {
        length: usize,
        with: Box<str>,
    },
    Regex {
        pattern: Regex,
        substitution: Box<[Piece]>,
    },
}

/// A part of a substitution.
#[derive(Debug)]
pub(super) enum Piece {
    Text(Box<[u8]>),
    Group(usize),
}

impl Rewrite {
    /// Compiles what stands at `at`, for a route that matches `path`; `None` when it noted a problem.
    pub(super) fn compile(
        wire: &route::Rewrite,
        path: Option<&PathMatch>,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        let given = [
            wire.path.is_some(),
            wire.prefix.is_some(),
            wire.regex.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let message = "a path is rewritten in one way";
            problems.add(
                "rewrite_ambiguous",
                at,
                message,
                "keep one of path, prefix, regex",
            );
            return None;
        }
        let host = match &wire.host {
            Some(host) => Some(checked_host(host, &format!("{at}.host"), problems)?),
            None => None,
        };
        let path = if let Some(whole) = &wire.path {
            Some(PathRewrite::whole(whole, &format!("{at}.path"), problems)?)
        } else if let Some(with) = &wire.prefix {
            let at = format!("{at}.prefix");
            Some(PathRewrite::prefix(with, path, &at, problems)?)
        } else if let Some(regex) = &wire.regex {
            let at = format!("{at}.regex");
            Some(PathRewrite::regex(regex, &at, problems)?)
        } else {
            None
        };
        Some(Self { path, host })
    }

    /// The path in place of `path`, which is normalised and without a query; `None` where it stays.
    pub fn path(&self, path: &str) -> Result<Option<String>, TooLong> {
        match &self.path {
            Some(rewrite) if path.starts_with('/') => rewrite.apply(path).map(Some),
            _ => Ok(None),
        }
    }
}

impl PathRewrite {
    pub(super) fn whole(path: &str, at: &str, problems: &mut Problems) -> Option<Self> {
        checked_path(path, at, problems)?;
        Some(Self::Whole(path.into()))
    }

    /// Whole segments go where whole segments are matched: then what remains begins with a slash or
    /// is nothing, so that the slashes at both ends are left out.
    pub(super) fn prefix(
        with: &str,
        path: Option<&PathMatch>,
        at: &str,
        problems: &mut Problems,
    ) -> Option<Self> {
        if !with.is_empty() {
            checked_path(with, at, problems)?;
        }
        match path {
            None => Some(Self::segments("", with)),
            Some(PathMatch::Prefix(prefix)) => Some(Self::segments(prefix, with)),
            Some(PathMatch::StringPrefix(prefix)) => Some(Self::Prefix {
                length: prefix.len(),
                with: with.into(),
            }),
            Some(PathMatch::Exact(_) | PathMatch::Regex(_)) => {
                let message = "the route's match has no prefix that could be replaced";
                problems.add("rewrite_without_prefix", at, message, PREFIX_HINT);
                None
            }
        }
    }

    fn segments(prefix: &str, with: &str) -> Self {
        Self::Prefix {
            length: prefix.trim_end_matches('/').len(),
            with: with.trim_end_matches('/').into(),
        }
    }

    fn regex(regex: &route::RegexRewrite, at: &str, problems: &mut Problems) -> Option<Self> {
        let pattern = Patterns::search(&regex.pattern)
            .map_err(|why| {
                let text = &regex.pattern;
                let message = format!("`{text}` is no usable regular expression: {why}");
                problems.add(
                    "regex_invalid",
                    format!("{at}.pattern"),
                    message,
                    PATTERN_HINT,
                );
            })
            .ok();
        let at = format!("{at}.substitution");
        let substitution = pieces(&regex.substitution)
            .map_err(|message| {
                problems.add("substitution_invalid", &*at, message, SUBSTITUTION_HINT);
            })
            .ok();
        let (pattern, substitution) = pattern.zip(substitution)?;
        let most = pattern.captures_len();
        for piece in &substitution {
            if let Piece::Group(group) = piece
                && *group >= most
            {
                let message = format!(r"the pattern has no group `\{group}`");
                problems.add("substitution_invalid", at, message, SUBSTITUTION_HINT);
                return None;
            }
        }
        Some(Self::Regex {
            pattern,
            substitution: substitution.into(),
        })
    }

    /// Made of `path`, which begins with a slash; so does what is made.
    pub(super) fn apply(&self, path: &str) -> Result<String, TooLong> {
        let mut made = match self {
            Self::Whole(whole) => String::from(&**whole),
            Self::Prefix { length, with } => [with, path.get(*length..).unwrap_or("")].concat(),
            Self::Regex {
                pattern,
                substitution,
            } => replace(path, pattern, substitution)?,
        };
        if !made.starts_with('/') {
            made.insert(0, '/');
        }
        Ok(made)
    }
}

fn replace(path: &str, pattern: &Regex, substitution: &[Piece]) -> Result<String, TooLong> {
    let path = path.as_bytes();
    let mut out = Vec::with_capacity(path.len());
    let mut copied = 0;
    for groups in pattern.captures_iter(path) {
        let Some(whole) = groups.get(0) else { continue };
        out.extend_from_slice(path.get(copied..whole.start()).unwrap_or_default());
        copied = whole.end();
        for piece in substitution {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Group(group) => {
                    let group = groups.get(*group).map(|group| group.as_bytes());
                    out.extend_from_slice(group.unwrap_or_default());
                }
            }
        }
        if out.len() > MAX_PATH {
            return Err(TooLong);
        }
    }
    out.extend_from_slice(path.get(copied..).unwrap_or_default());
    // Paths and substitutions are ASCII.
    String::from_utf8(out).map_err(|_| TooLong)
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'\\') => literal.push(b'\\'),
                Some(digit) if digit.is_ascii_digit() => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut literal).into()));
                    }
                    pieces.push(Piece::Group(usize::from(digit - b'0')));
                }
                _ => return Err(format!("a backslash stands alone in `{text}`")),
            },
            b'?' | b'#' => return Err(format!("`{text}` contains `?` or `#`, which no path does")),
            b'!'..=b'~' => literal.push(byte),
            _ => return Err(format!("`{text}` contains what no path does")),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal.into()));
    }
    Ok(pieces)
}

fn checked_path(path: &str, at: &str, problems: &mut Problems) -> Option<()> {
    let why = if !path.starts_with('/') {
        "doesn't begin with `/`"
    } else if path.contains(['?', '#']) {
        "contains `?` or `#`, which no path does"
    } else if !is_printable(path) {
        "contains what no path does"
    } else {
        return Some(());
    };
    problems.add("path_invalid", at, format!("`{path}` {why}"), PATH_HINT);
    None
}

/// Whether nothing but printable ASCII is in it.
pub(super) fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A host to write, with a port or without.
pub(super) fn checked_host(host: &str, at: &str, problems: &mut Problems) -> Option<Box<str>> {
    match host::check_authority(host) {
        Ok(()) => Some(host.into()),
        Err(why) => {
            let message = format!("`{host}` is no host: {why}");
            problems.add("host_invalid", at, message, HOST_HINT);
            None
        }
    }
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
