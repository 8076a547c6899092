//! What of a path the trie's segments don't tell.

use super::pattern::Pattern;

/// What of a path its segments don't tell.
#[derive(Debug)]
pub(super) enum PathText {
    Regex(Pattern),
    /// It begins with this.
    Literal {
        text: Box<str>,
        ignore_case: bool,
    },
}

impl PathText {
    pub(super) fn holds(&self, path: &str) -> bool {
        match self {
            Self::Regex(pattern) => pattern.matches(path.as_bytes()),
            Self::Literal { text, ignore_case } => {
                let begins = path.as_bytes().get(..text.len());
                begins.is_some_and(|begins| match ignore_case {
                    true => begins.eq_ignore_ascii_case(text.as_bytes()),
                    false => begins == text.as_bytes(),
                })
            }
        }
    }
}
