//! An HTTP/1 message as a peer reads it.

/// A head and its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The request or status line.
    pub(crate) start: String,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    /// Without its framing.
    pub(crate) body: Vec<u8>,
    /// After the last chunk.
    pub(crate) trailers: Vec<(String, String)>,
}

impl Message {
    /// Reads a head, its blank line included.
    pub(crate) fn of_head(head: &[u8]) -> Self {
        let text = std::str::from_utf8(head).expect("a head in ASCII");
        let mut lines = text.split("\r\n");
        Self {
            start: lines.next().unwrap_or_default().to_owned(),
            fields: fields(lines),
            ..Self::default()
        }
    }

    /// A field's value; "" where there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        let value = found.next().map_or("", |(_, value)| value);
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    /// A response's status.
    pub(crate) fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).unwrap_or_default();
        status
            .parse()
            .unwrap_or_else(|_| panic!("no status in {self:?}"))
    }

    /// A request's target.
    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// Whether chunks frame the body.
    pub(crate) fn is_chunked(&self) -> bool {
        self.field("transfer-encoding") == "chunked"
    }

    /// The declared length.
    pub(crate) fn length(&self) -> Option<usize> {
        self.field("content-length").parse().ok()
    }

    /// Checks that this is a reply of the proxy's own.
    #[track_caller]
    pub(crate) fn is_local(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status(), self.field("x-meshcore-error")),
            (status, code),
            "{self:?}"
        );
    }
}

/// Reads field lines up to the blank one.
pub(crate) fn fields<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<(String, String)> {
    lines
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once(':').expect("a colon in a field");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect()
}
