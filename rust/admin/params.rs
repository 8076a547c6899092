//! The parameters of a request: its query, and the form of a POST.

/// Names and values in their order.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Adds those of `application/x-www-form-urlencoded` text; refuses what isn't.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let entry = (decode(name)?, decode(value)?);
            if self.value(&entry.0).is_some() {
                return Err(format!("parameter \"{}\" is given twice", entry.0));
            }
            self.0.push(entry);
        }
        Ok(())
    }

    /// The value of a parameter, if it is there.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on: it is there and not `0`, `false` or `off`.
    pub(super) fn on(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|value| !matches!(value, "0" | "false" | "off"))
    }

    /// The first name that isn't among `known`.
    pub(super) fn unknown(&self, known: &[&str]) -> Option<&str> {
        let mut names = self.0.iter().map(|(name, _)| name.as_str());
        names.find(|name| !known.contains(name))
    }
}

fn decode(text: &str) -> Result<String, String> {
    let wrong = || format!("\"{}\" is not percent-encoded UTF-8", text.escape_debug());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(nibble));
                let [Some(high), Some(low)] = digits else {
                    return Err(wrong());
                };
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn nibble(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::Params;

    fn params(text: &str) -> Result<Params, String> {
        let mut params = Params::default();
        params.add(text).map(|()| params)
    }

    #[test]
    fn names_and_values_are_decoded() {
        let params = params("filter=a%2Bb+c&usedonly&x=%C3%A9&off=0").unwrap();
        assert_eq!(params.value("filter"), Some("a+b c"));
        assert_eq!(params.value("x"), Some("é"));
        assert_eq!(params.value("y"), None);
        assert!(params.on("usedonly"));
        assert!(!params.on("off"));
        assert_eq!(params.unknown(&["filter", "usedonly", "off"]), Some("x"));
    }

    #[test]
    fn what_has_no_one_reading_is_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff", "a=1&a=2"] {
            assert!(params(text).is_err(), "{text}");
        }
    }
}
