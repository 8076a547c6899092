//! Regexes from documents: whole-value match, linear time, bounded size.

use hashbrown::HashMap;
use regex::bytes::Regex;
use regex::bytes::RegexBuilder;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::Extractor;

/// Bytes of an expression; what is longer was made by a program and belongs into several routes.
const MAX_PATTERN: usize = 4096;
/// Bytes of one compiled program: `\w{50}` has about 900 KiB, `\w{500}` is refused.
const MAX_PROGRAM: usize = 1 << 20;
/// Bytes of the lazily built automaton, per expression and worker that runs it.
const MAX_AUTOMATON: usize = 512 << 10;
/// Nesting of groups, so that parsing can't exhaust the stack.
const MAX_NESTING: u32 = 64;

/// A compiled expression.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    prefix: Box<[u8]>,
}

impl Pattern {
    /// Whether the whole of `value` matches.
    pub(super) fn matches(&self, value: &[u8]) -> bool {
        value.starts_with(&self.prefix) && self.regex.is_match(value)
    }

    /// What every match begins with.
    pub(super) fn literal_prefix(&self) -> &[u8] {
        &self.prefix
    }
}

/// Compiled expressions by their text: tables repeat few expressions in many routes.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    known: HashMap<String, Result<Pattern, String>>,
}

impl Patterns {
    /// Compiles `text`, or says what is wrong with it.
    pub(super) fn compile(&mut self, text: &str) -> Result<Pattern, String> {
        self.known
            .entry_ref(text)
            .or_insert_with(|| compile(text))
            .clone()
    }

    /// Compiles `text` to be looked for anywhere in a value, or says what is wrong with it.
    pub(super) fn search(text: &str) -> Result<Regex, String> {
        parse(text)?;
        build(text)
    }
}

fn compile(text: &str) -> Result<Pattern, String> {
    // Parsed on its own first: in the group below, `a)|(?:b` would have another meaning.
    let hir = parse(text)?;
    let prefix = Extractor::new()
        .extract(&hir)
        .longest_common_prefix()
        .unwrap_or_default()
        .into();
    let regex = build(&format!(r"\A(?:{text})\z"))?;
    Ok(Pattern { regex, prefix })
}

fn parse(text: &str) -> Result<Hir, String> {
    if text.len() > MAX_PATTERN {
        return Err(format!("it is longer than {MAX_PATTERN} bytes"));
    }
    ParserBuilder::new()
        .utf8(false)
        .nest_limit(MAX_NESTING)
        .build()
        .parse(text)
        .map_err(|error| explain(&error))
}

fn build(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(MAX_PROGRAM)
        .dfa_size_limit(MAX_AUTOMATON)
        .nest_limit(MAX_NESTING + 1)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                format!("compiled it is larger than {limit} bytes")
            }
            other => other.to_string(),
        })
}

fn explain(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => {
            format!("{} at column {}", error.kind(), error.span().start.column)
        }
        regex_syntax::Error::Translate(error) => {
            format!("{} at column {}", error.kind(), error.span().start.column)
        }
        other => other.to_string(),
    }
}
