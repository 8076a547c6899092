//! How much a request matters when not all can be served.

use std::collections::BTreeMap;

use crate::wire::route::RoutePriority;

pub use crate::wire::route::Level as Priority;

/// How a route's requests are told apart.
#[derive(Debug)]
pub struct PriorityRule {
    level: Priority,
    header: Option<Box<str>>,
    values: BTreeMap<Box<[u8]>, Priority>,
}

impl From<&RoutePriority> for PriorityRule {
    fn from(wire: &RoutePriority) -> Self {
        let own = [Priority::Low, Priority::Default, Priority::High];
        let written = wire.values.iter();
        let written = written.map(|(value, level)| (value.as_bytes().into(), *level));
        let values = if wire.values.is_empty() {
            let words = Priority::WORDS.into_iter().zip(own);
            words
                .map(|(word, level)| (word.as_bytes().into(), level))
                .collect()
        } else {
            written.collect()
        };
        let header = wire.header.as_ref();
        Self {
            level: wire.level,
            header: header.map(|name| name.to_ascii_lowercase().into()),
            values,
        }
    }
}

impl PriorityRule {
    /// The header that [`of`](Self::of) wants to know the value of.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// The priority of a request whose header has this value; one that nobody knows says nothing.
    pub fn of(&self, value: Option<&[u8]>) -> Priority {
        let known = value.and_then(|value| self.values.get(value));
        known.copied().unwrap_or(self.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(wire: serde_json::Value) -> PriorityRule {
        PriorityRule::from(&serde_json::from_value::<RoutePriority>(wire).expect("a rule"))
    }

    #[test]
    fn words_mean_themselves() {
        let rule = rule(serde_json::json!({"header": "X-Priority"}));
        assert_eq!(rule.header(), Some("x-priority"));
        assert_eq!(rule.of(Some(b"high")), Priority::High);
        assert_eq!(rule.of(Some(b"low")), Priority::Low);
        assert_eq!(rule.of(Some(b"urgent")), Priority::Default);
        assert_eq!(rule.of(None), Priority::Default);
    }

    #[test]
    fn values_mean_what_is_written_and_nothing_else() {
        let values = serde_json::json!({"batch": "low", "chat": "high"});
        let rule = rule(serde_json::json!({"level": "low", "header": "x-kind", "values": values}));
        assert_eq!(rule.of(Some(b"chat")), Priority::High);
        assert_eq!(rule.of(Some(b"high")), Priority::Low);
    }

    #[test]
    fn a_route_may_be_of_one_level() {
        let rule = rule(serde_json::json!({"level": "high"}));
        assert_eq!((rule.header(), rule.of(None)), (None, Priority::High));
    }
}
