//! What is wrong with a resource, in words that Python turns into `file:line:column`.

use serde::Serialize;

use super::Kind;

/// One reason why a delta was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A stable slug, for example `regex_invalid`.
    pub code: &'static str,
    /// The kind of the resource.
    pub kind: &'static str,
    /// The name of the resource.
    pub name: String,
    /// Where in the resource: `routes[3].match.path.regex`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead; may be empty.
    pub hint: String,
}

/// Collects the problems of one resource, so that a user sees all of them at once.
#[derive(Debug)]
pub struct Problems {
    kind: Kind,
    name: String,
    found: Vec<Problem>,
}

impl Problems {
    /// Nothing found yet in the resource `name`.
    pub fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            found: Vec::new(),
        }
    }

    /// Notes one problem at `path`.
    pub fn add(
        &mut self,
        code: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.found.push(Problem {
            code,
            kind: self.kind.as_str(),
            name: self.name.clone(),
            path: path.into(),
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What was found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}
