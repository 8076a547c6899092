//! Splits a command line into `--name value` pairs and switches, and names the ones nobody asked for.

use std::collections::HashMap;
use std::str::FromStr;

/// The flags of one command line, taken out one by one.
pub(crate) struct Flags(HashMap<String, Vec<String>>);

impl Flags {
    /// Reads `--name value` and `--switch`; a value never begins with two dashes.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        let mut current: Option<String> = None;
        for argument in arguments {
            if let Some(name) = argument.strip_prefix("--") {
                found.entry(name.to_owned()).or_default();
                current = Some(name.to_owned());
            } else if let Some(name) = current.take() {
                found.entry(name).or_default().push(argument);
            } else {
                return Err(format!("{argument:?} belongs to no flag"));
            }
        }
        Ok(Self(found))
    }

    /// True if `--name` was given, with or without a value.
    pub(crate) fn switch(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// All values of a flag that may be repeated.
    pub(crate) fn many(&mut self, name: &str) -> Vec<String> {
        self.0.remove(name).unwrap_or_default()
    }

    /// The value of `--name`, if given.
    pub(crate) fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(values) = self.0.remove(name) else {
            return Ok(None);
        };
        let [value] = values.as_slice() else {
            return Err(format!("--{name} takes one value"));
        };
        let parsed = value
            .parse()
            .map_err(|_| format!("--{name}: {value:?} can't be understood"))?;
        Ok(Some(parsed))
    }

    /// The value of `--name`, or the default.
    pub(crate) fn or<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, String> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// Refuses flags that nothing has taken.
    pub(crate) fn finish(self) -> Result<(), String> {
        let mut left: Vec<String> = self.0.into_keys().collect();
        left.sort();
        match left.first() {
            None => Ok(()),
            Some(name) => Err(format!("unknown flag --{name}")),
        }
    }
}
