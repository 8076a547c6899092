//! Values that are partly known only with a request: text with operators, as Envoy writes them.
//!
//! `%REQ(x-a?x-b):16%` is the first 16 bytes of the first of these fields that the request has;
//! `%%` is a percent sign. Nothing is looked up here: whoever renders tells what operators stand for.

use std::sync::Arc;

use super::operator;
use super::operator::Operator;

/// Operators of one value: each costs a look-up at every request.
const MAX_OPERATORS: usize = 16;

/// A value, ready to be rendered.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Arc<[Part]>,
    /// Had operators: rendered to nothing, it stands for no value at all.
    dynamic: bool,
}

#[derive(Debug, Clone)]
enum Part {
    Text(Box<[u8]>),
    Operator(Operator),
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TemplateError {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

impl TemplateError {
    pub(super) fn new(message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            message: message.into(),
            hint,
        }
    }
}

impl Template {
    /// Text that stands for itself.
    pub fn text(text: &[u8]) -> Self {
        Self {
            parts: Arc::from([Part::Text(text.into())]),
            dynamic: false,
        }
    }

    /// Reads a value; operators that only a response can tell are known where it is one of a
    /// response.
    pub(super) fn parse(text: &str, of_response: bool) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut operators = 0;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal.extend_from_slice(before.as_bytes());
            if let Some(after) = after.strip_prefix('%') {
                literal.push(b'%');
                rest = after;
                continue;
            }
            let (operator, after) = operator::read(after)?;
            if operator.is_of_response() && !of_response {
                let message = format!("`{text}` asks for what only a response has");
                let hint = "write it under response_headers";
                return Err(TemplateError::new(message, hint));
            }
            operators += 1;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(Part::Operator(operator));
            rest = after;
        }
        literal.extend_from_slice(rest.as_bytes());
        if operators > MAX_OPERATORS {
            let message = format!("it has more than {MAX_OPERATORS} operators");
            return Err(TemplateError::new(message, "split it into several headers"));
        }
        check_text(&literal)?;
        for part in &parts {
            if let Part::Text(text) = part {
                check_text(text)?;
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self {
            parts: parts.into(),
            dynamic: operators > 0,
        })
    }

    /// The value, `tell` appending what operators stand for. `None` where nothing was told, which is
    /// no value; text that is empty is an empty one.
    pub fn render(&self, tell: &mut dyn FnMut(&Operator, &mut Vec<u8>)) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for part in &*self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Operator(operator) => tell(operator, &mut out),
            }
        }
        (!self.dynamic || !out.is_empty()).then_some(out)
    }

    /// The same value for a response, with what the request tells put in; the rest is left.
    #[must_use]
    pub fn settled(&self, tell: &mut dyn FnMut(&Operator, &mut Vec<u8>)) -> Self {
        if !self.dynamic {
            return self.clone();
        }
        let settle = |part: &Part| match part {
            Part::Operator(operator) if !operator.is_late() => {
                let mut out = Vec::new();
                tell(operator, &mut out);
                Part::Text(out.into())
            }
            other => other.clone(),
        };
        Self {
            parts: self.parts.iter().map(settle).collect(),
            dynamic: true,
        }
    }
}

/// RFC 9110 §5.5.
fn check_text(text: &[u8]) -> Result<(), TemplateError> {
    let sound = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if text.iter().all(sound) {
        return Ok(());
    }
    let message = "it contains a control character, which no header value may";
    Err(TemplateError::new(message, "remove line ends and the like"))
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
