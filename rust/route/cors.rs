//! Which pages of other origins may call: the CORS protocol of the Fetch standard, with Envoy's
//! answers to what the standard leaves open.

use super::RequestView;
use super::condition::TextMatch;
use super::headers::HeaderEdit;
use super::headers::HeaderEdits;
use super::rules::Rules;
use super::rules::TOKEN_HINT;
use super::rules::is_token;
use crate::wire::Problems;
use crate::wire::route;
use crate::wire::route::UnmatchedPreflights;

/// Who may call from a browser.
#[derive(Debug)]
pub struct Cors {
    origins: Box<[TextMatch]>,
    any_origin: bool,
    methods: List,
    headers: List,
    exposed: Box<str>,
    max_age: Option<Box<str>>,
    credentials: bool,
    ignores_others: bool,
}

/// Names, as an answer lists them.
#[derive(Debug)]
struct List {
    text: Box<str>,
    /// `*` is among them.
    any: bool,
}

/// What a request means to CORS.
#[derive(Debug)]
pub enum CorsVerdict {
    /// Nothing: it comes from no page of another origin, or from one that isn't allowed.
    None,
    /// A preflight, to be answered with these fields.
    Preflight(HeaderEdits),
    /// A request whose answer gets these fields.
    Allowed(HeaderEdits),
}

impl Cors {
    /// Compiles what stands at `at`; `None` when it noted a problem.
    pub(super) fn compile(wire: &route::Cors, at: &str, rules: &mut Rules<'_>) -> Option<Self> {
        let mut origins = Vec::with_capacity(wire.allow_origins.len());
        for (index, origin) in wire.allow_origins.iter().enumerate() {
            origins.push(rules.text(origin, &format!("{at}.allow_origins[{index}]")));
        }
        let origins: Option<Box<[_]>> = origins.into_iter().collect();
        let methods = List::of(
            &wire.allow_methods,
            &format!("{at}.allow_methods"),
            rules.problems,
        );
        let headers = List::of(
            &wire.allow_headers,
            &format!("{at}.allow_headers"),
            rules.problems,
        );
        let exposed = List::of(
            &wire.expose_headers,
            &format!("{at}.expose_headers"),
            rules.problems,
        );
        let origins = origins?;
        Some(Self {
            any_origin: origins.iter().any(|origin| origin.holds([b"*".as_slice()])),
            origins,
            methods: methods?,
            headers: headers?,
            exposed: exposed?.text,
            max_age: wire.max_age_ms.map(|ms| (ms / 1_000).to_string().into()),
            credentials: wire.allow_credentials,
            ignores_others: wire.unmatched_preflights == UnmatchedPreflights::Ignore,
        })
    }

    /// What `view` means.
    pub fn judge(&self, view: &RequestView<'_>) -> CorsVerdict {
        let Some(origin) = view.value("origin").filter(|origin| !origin.is_empty()) else {
            return CorsVerdict::None;
        };
        let asked = view.value("access-control-request-method");
        let asked = asked.filter(|method| view.method == "OPTIONS" && !method.is_empty());
        let allowed = self.any_origin || self.origins.iter().any(|it| it.holds([origin]));
        match (allowed, asked) {
            (true, Some(method)) => CorsVerdict::Preflight(self.preflight(view, origin, method)),
            (true, None) => CorsVerdict::Allowed(self.simple(origin)),
            (false, Some(_)) if self.ignores_others => CorsVerdict::Preflight(Box::default()),
            (false, _) => CorsVerdict::None,
        }
    }

    fn simple(&self, origin: &[u8]) -> HeaderEdits {
        let mut edits = self.origin(origin);
        if !self.exposed.is_empty() {
            let value = self.exposed.as_bytes();
            edits.push(HeaderEdit::set("access-control-expose-headers", value));
        }
        edits.into()
    }

    fn preflight(&self, view: &RequestView<'_>, origin: &[u8], method: &[u8]) -> HeaderEdits {
        let mut edits = self.origin(origin);
        // To a page that sends cookies `*` is a name like others.
        let methods = self.methods.told(self.credentials, Some(method));
        let wanted = view.value("access-control-request-headers");
        let headers = self.headers.told(self.credentials, wanted);
        let told = [
            ("access-control-allow-methods", methods),
            ("access-control-allow-headers", headers),
            (
                "access-control-max-age",
                self.max_age.as_deref().unwrap_or("").as_bytes(),
            ),
        ];
        for (name, value) in told {
            if !value.is_empty() {
                edits.push(HeaderEdit::set(name, value));
            }
        }
        edits.into()
    }

    /// The very origin, never `*`: so the answer is one for this origin alone, which caches are told.
    fn origin(&self, origin: &[u8]) -> Vec<HeaderEdit> {
        let mut edits = vec![HeaderEdit::set("access-control-allow-origin", origin)];
        if self.credentials {
            edits.push(HeaderEdit::set("access-control-allow-credentials", b"true"));
        }
        edits.push(HeaderEdit::add("vary", b"Origin"));
        edits
    }
}

impl List {
    fn of(names: &[String], at: &str, problems: &mut Problems) -> Option<Self> {
        let mut sound = true;
        for (index, name) in names.iter().enumerate() {
            if !is_token(name) {
                sound = false;
                let message = format!("`{name}` is no name that browsers ask for");
                problems.add(
                    "cors_name_invalid",
                    format!("{at}[{index}]"),
                    message,
                    TOKEN_HINT,
                );
            }
        }
        sound.then(|| Self {
            text: names.join(", ").into(),
            any: names.iter().any(|name| name == "*"),
        })
    }

    fn told<'s>(&'s self, credentials: bool, asked: Option<&'s [u8]>) -> &'s [u8] {
        match asked {
            Some(asked) if self.any && credentials => asked,
            _ => self.text.as_bytes(),
        }
    }
}

#[cfg(test)]
#[path = "cors_tests.rs"]
mod tests;
