//! The matches of a document, each part checked and brought into the form that requests meet.

use std::collections::BTreeMap;

use super::Noted;
use super::condition::Conditions;
use super::condition::LineConditions;
use super::condition::TextMatch;
use super::host::HostPattern;
use super::path::PathKey;
use super::path_text::PathText;
use super::pattern::Pattern;
use super::pattern::Patterns;
use crate::wire::Problems;
use crate::wire::route::Match;
use crate::wire::route::PathMatch;
use crate::wire::route::StringMatch;

const HOST_HINT: &str = "write `example.com`, `*.example.com` or `*`";
const PATH_HINT: &str =
    "a path begins with `/`; conditions on what follows `?` stand under `query`";
const REGEX_HINT: &str = "the whole value must match; look-around and back-references don't exist";
pub(super) const TOKEN_HINT: &str =
    "letters, digits and !#$%&'*+-.^_`|~ are allowed (RFC 9110 §5.6.2)";
const PARAMETER_HINT: &str = "names are compared as they stand in the query, percent-encoded";
const EMPTY_HINT: &str = "for any value write `present: true`";

/// One match, before it has its place in the order.
pub(super) struct Rule {
    pub(super) hosts: Vec<HostPattern>,
    pub(super) path: PathKey,
    pub(super) text: Option<PathText>,
    pub(super) ignores_case: bool,
    pub(super) conditions: Conditions,
}

impl Rule {
    /// Bytes of a prefix that is mere text; 0 for all other paths.
    pub(super) fn text_length(&self) -> usize {
        match &self.text {
            Some(PathText::Literal { text, .. }) => text.len(),
            _ => 0,
        }
    }
}

/// Compiles the matches of one table.
pub(super) struct Rules<'a> {
    pub(super) problems: &'a mut Problems,
    patterns: Patterns,
}

impl<'a> Rules<'a> {
    pub(super) fn new(problems: &'a mut Problems) -> Self {
        Self {
            problems,
            patterns: Patterns::default(),
        }
    }

    /// Compiles the match at `at`; `None` when it noted a problem.
    pub(super) fn compile(&mut self, matches: &Match, at: &str) -> Option<Rule> {
        // All parts are read before any is given up, so that all problems are noted.
        let hosts = self.hosts(&matches.hosts, at);
        let path = match &matches.path {
            Some(path) => self.path(path, matches.ignore_path_case, at),
            None => Some((PathKey::Prefix("".into()), None)),
        };
        let methods = self.methods(&matches.methods, at);
        let fields = self.fields(&matches.headers, &format!("{at}.headers"));
        let without = self.fields(&matches.without_headers, &format!("{at}.without_headers"));
        let line = self.line(matches, at);
        let query = self.query(&matches.query, at);
        let identity = match &matches.identity {
            Some(condition) => self.text(condition, &format!("{at}.identity")).map(Some),
            None => Some(None),
        };
        let (path, text) = path?;
        Some(Rule {
            hosts: hosts?,
            path,
            text,
            ignores_case: matches.ignore_path_case,
            conditions: Conditions {
                methods: methods?,
                fields: fields?,
                without: without?,
                query: query?,
                identity: identity?,
                line: line.ok()?.map(Box::new),
            },
        })
    }

    fn hosts(&mut self, hosts: &[String], at: &str) -> Option<Vec<HostPattern>> {
        if hosts.is_empty() {
            return Some(vec![HostPattern::Any]);
        }
        let mut parsed = Vec::with_capacity(hosts.len());
        for (index, host) in hosts.iter().enumerate() {
            match HostPattern::parse(host) {
                Ok(pattern) => parsed.push(pattern),
                Err(why) => self.problems.add(
                    "host_invalid",
                    format!("{at}.hosts[{index}]"),
                    format!("`{host}` is no host pattern: {why}"),
                    HOST_HINT,
                ),
            }
        }
        (parsed.len() == hosts.len()).then_some(parsed)
    }

    fn path(
        &mut self,
        path: &PathMatch,
        ignore_case: bool,
        at: &str,
    ) -> Option<(PathKey, Option<PathText>)> {
        match path {
            PathMatch::Exact(text) => {
                self.literal_path(text, &format!("{at}.path.exact"))?;
                Some((PathKey::Exact(text.as_str().into()), None))
            }
            PathMatch::Prefix(text) => {
                self.literal_path(text, &format!("{at}.path.prefix"))?;
                Some((PathKey::Prefix(text.trim_end_matches('/').into()), None))
            }
            PathMatch::StringPrefix(text) if text.is_empty() => {
                Some((PathKey::Prefix("".into()), None))
            }
            PathMatch::StringPrefix(text) => {
                self.literal_path(text, &format!("{at}.path.string_prefix"))?;
                // What stands behind the last slash may be part of a longer segment.
                let segments = text.rsplit_once('/').map_or("", |(whole, _)| whole);
                let key = PathKey::Text(segments.into());
                let text = text.as_str().into();
                Some((key, Some(PathText::Literal { text, ignore_case })))
            }
            PathMatch::Regex(text) => {
                let pattern = self.regex(text, &format!("{at}.path.regex"))?;
                // What stands behind the last slash may be part of a longer segment.
                let literal = String::from_utf8_lossy(pattern.literal_prefix());
                let segments = literal.rsplit_once('/').map_or("", |(whole, _)| whole);
                Some((
                    PathKey::Regex(segments.into()),
                    Some(PathText::Regex(pattern)),
                ))
            }
        }
    }

    fn line(&mut self, matches: &Match, at: &str) -> Result<Option<LineConditions>, Noted> {
        let mut one = |condition: &Option<StringMatch>, key: &str| match condition {
            Some(condition) => self.text(condition, &format!("{at}.{key}")).map(Some),
            None => Some(None),
        };
        let method = one(&matches.method_match, "method_match");
        let scheme = one(&matches.scheme, "scheme");
        let authority = one(&matches.authority, "authority");
        let line = LineConditions {
            method: method.ok_or(Noted)?,
            scheme: scheme.ok_or(Noted)?,
            authority: authority.ok_or(Noted)?,
        };
        let any = line.method.is_some() || line.scheme.is_some() || line.authority.is_some();
        Ok(any.then_some(line))
    }

    fn literal_path(&mut self, text: &str, at: &str) -> Option<()> {
        let why = if !text.starts_with('/') {
            "doesn't begin with `/`"
        } else if text.contains(['?', '#']) {
            "contains `?` or `#`, which no path does"
        } else if text.contains(|it: char| it.is_ascii_whitespace() || it.is_ascii_control()) {
            "contains a blank or a control character, which no path does"
        } else {
            return Some(());
        };
        self.problems
            .add("path_invalid", at, format!("`{text}` {why}"), PATH_HINT);
        None
    }

    fn methods(&mut self, methods: &[String], at: &str) -> Option<Box<[Box<str>]>> {
        let mut sound = true;
        for (index, method) in methods.iter().enumerate() {
            if !is_token(method) {
                sound = false;
                self.problems.add(
                    "method_invalid",
                    format!("{at}.methods[{index}]"),
                    format!("`{method}` is no method"),
                    TOKEN_HINT,
                );
            }
        }
        sound.then(|| methods.iter().map(|it| it.as_str().into()).collect())
    }

    pub(super) fn fields(&mut self, wanted: &BTreeMap<String, StringMatch>, at: &str) -> Texts {
        for name in wanted.keys().filter(|name| !is_token(name)) {
            self.problems.add(
                "header_name_invalid",
                format!("{at}.{name}"),
                format!("`{name}` is no header name"),
                TOKEN_HINT,
            );
        }
        let sound = wanted.keys().all(|name| is_token(name));
        self.texts(wanted, at).filter(|_| sound)
    }

    fn query(&mut self, wanted: &BTreeMap<String, StringMatch>, at: &str) -> Texts {
        let at = format!("{at}.query");
        let is_name = |name: &str| !name.is_empty() && !name.contains(['&', '=', '#', ' ']);
        for name in wanted.keys().filter(|name| !is_name(name)) {
            self.problems.add(
                "query_name_invalid",
                format!("{at}.{name}"),
                format!("no query parameter can be named `{name}`"),
                PARAMETER_HINT,
            );
        }
        let sound = wanted.keys().all(|name| is_name(name));
        self.texts(wanted, &at).filter(|_| sound)
    }

    fn texts(&mut self, wanted: &BTreeMap<String, StringMatch>, at: &str) -> Texts {
        let mut compiled = Vec::with_capacity(wanted.len());
        for (name, condition) in wanted {
            if let Some(text) = self.text(condition, &format!("{at}.{name}")) {
                compiled.push((name.as_str().into(), text));
            }
        }
        (compiled.len() == wanted.len()).then(|| compiled.into())
    }

    pub(super) fn text(&mut self, condition: &StringMatch, at: &str) -> Option<TextMatch> {
        let (kind, text) = match condition {
            StringMatch::Exact(text) => return Some(TextMatch::Exact(text.as_str().into())),
            StringMatch::Present(true) => return Some(TextMatch::Present),
            StringMatch::Present(false) => return Some(TextMatch::Absent),
            StringMatch::Regex(text) => {
                let pattern = self.regex(text, &format!("{at}.regex"))?;
                return Some(TextMatch::Regex(pattern));
            }
            StringMatch::Prefix(text) => ("prefix", text),
            StringMatch::Suffix(text) => ("suffix", text),
            StringMatch::Contains(text) => ("contains", text),
        };
        if text.is_empty() {
            self.problems.add(
                "match_empty",
                format!("{at}.{kind}"),
                "an empty text is part of every value",
                EMPTY_HINT,
            );
            return None;
        }
        let text = text.as_str().into();
        Some(match condition {
            StringMatch::Prefix(_) => TextMatch::Prefix(text),
            StringMatch::Suffix(_) => TextMatch::Suffix(text),
            _ => TextMatch::Contains(text),
        })
    }

    fn regex(&mut self, text: &str, at: &str) -> Option<Pattern> {
        match self.patterns.compile(text) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                let message = format!("`{text}` is no usable regular expression: {why}");
                self.problems.add("regex_invalid", at, message, REGEX_HINT);
                None
            }
        }
    }
}

type Texts = Option<Box<[(Box<str>, TextMatch)]>>;

/// RFC 9110 §5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}
