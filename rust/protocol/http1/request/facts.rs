//! One pass over a request's fields: what they mean, which are dropped.

use super::KnownFields;
use crate::protocol::authority::Authority;
use crate::protocol::error::HeadError;
use crate::protocol::head::Field;
use crate::protocol::head::FieldSet;
use crate::protocol::head::Version;
use crate::protocol::head::numbered;
use crate::protocol::http1::fields::Options;
use crate::protocol::http1::framing::Declared;
use crate::protocol::http1::framing::Framing;
use crate::protocol::http1::names::Name;
use crate::protocol::http1::names::elements;
use crate::wire::listener::Underscores;

/// What the fields say.
#[derive(Debug, Default)]
pub(super) struct Facts<'b> {
    pub(super) declared: Declared,
    pub(super) expect_continue: bool,
    pub(super) te_trailers: bool,
    pub(super) known: KnownFields,
    pub(super) dropped: FieldSet,
    pub(super) forwarded: FieldSet,
    host: Option<Authority<'b>>,
    options: Options,
    upgrade: Option<&'b [u8]>,
    upgrades: u8,
}

impl<'b> Facts<'b> {
    /// Reads all fields; `underscores` is `None` where no name can have one.
    pub(super) fn read(
        fields: &[Field<'b>],
        version: Version,
        underscores: Option<Underscores>,
    ) -> Result<Self, HeadError> {
        let mut facts = Self::default();
        for (index, field) in numbered(fields) {
            match underscores {
                Some(mode) if field.name.contains('_') => {
                    facts.take_underscored(index, field.name, mode)?;
                }
                _ => facts.take(index, field, version)?,
            }
        }
        facts.options.drop_nominated(fields, &mut facts.dropped)?;
        Ok(facts)
    }

    #[inline]
    fn take(&mut self, index: u8, field: &Field<'b>, version: Version) -> Result<(), HeadError> {
        let value = field.value;
        match Name::of(field.name.as_bytes()) {
            Name::Other | Name::Trailer | Name::Server | Name::Date => {}
            Name::Host => self.take_host(index, value)?,
            Name::UserAgent => first(&mut self.known.user_agent, index),
            Name::ContentType => first(&mut self.known.content_type, index),
            Name::GrpcTimeout => first(&mut self.known.grpc_timeout, index),
            Name::Authorization => first(&mut self.known.authorization, index),
            Name::ContentLength => {
                self.declared.take_length(value)?;
                self.dropped.insert(index);
            }
            Name::TransferEncoding => {
                self.declared.take_coding(value)?;
                self.dropped.insert(index);
            }
            Name::Connection => {
                self.options.take(index, value);
                self.dropped.insert(index);
            }
            Name::HopByHop => self.dropped.insert(index),
            Name::Te => {
                self.te_trailers |= elements(value).any(|c| c.eq_ignore_ascii_case(b"trailers"));
                self.dropped.insert(index);
            }
            Name::Upgrade => {
                self.upgrade = Some(value);
                self.upgrades = self.upgrades.saturating_add(1);
                self.dropped.insert(index);
            }
            Name::Expect => self.take_expect(index, value, version)?,
            Name::ForwardedFor => {
                self.known.forwarded_for = Some(index);
                self.forwarded.insert(index);
            }
            Name::ForwardedProto => {
                first(&mut self.known.forwarded_proto, index);
                self.forwarded.insert(index);
            }
            Name::Forwarded => self.forwarded.insert(index),
            Name::RequestId if self.known.request_id.is_some() => self.dropped.insert(index),
            Name::RequestId => self.known.request_id = Some(index),
        }
        Ok(())
    }

    /// FR-15. Where such names pass, none passes that a server could take for a field we own.
    fn take_underscored(
        &mut self,
        index: u8,
        name: &str,
        mode: Underscores,
    ) -> Result<(), HeadError> {
        match mode {
            Underscores::Reject => return Err(HeadError::Underscore),
            Underscores::Drop => self.dropped.insert(index),
            Underscores::Keep => {
                if Name::of_alias(name.as_bytes()).is_ours() {
                    self.dropped.insert(index);
                }
            }
        }
        Ok(())
    }

    fn take_host(&mut self, index: u8, value: &'b [u8]) -> Result<(), HeadError> {
        if self.host.is_some() {
            return Err(HeadError::HostRepeated);
        }
        self.host = Some(Authority::parse(value)?);
        self.known.host = Some(index);
        Ok(())
    }

    /// RFC 9110 §10.1.1: in HTTP/1.0 the expectation is ignored, for its client knows no 100.
    fn take_expect(&mut self, index: u8, value: &[u8], version: Version) -> Result<(), HeadError> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(HeadError::Expectation);
        }
        if self.expect_continue || version == Version::Http10 {
            self.dropped.insert(index);
        }
        self.expect_continue = version != Version::Http10;
        Ok(())
    }

    /// What the target or `:authority` says where there is one, else Host (FR-22, TR-5). HTTP/1.1
    /// has to send Host beside it too.
    pub(super) fn authority(
        &mut self,
        version: Version,
        given: Option<Authority<'b>>,
    ) -> Result<Authority<'b>, HeadError> {
        let host = match (self.host, version) {
            (Some(host), _) => host,
            (None, Version::Http10) => Authority::default(),
            (None, Version::Http2) if given.is_some() => Authority::default(),
            (None, Version::Http11 | Version::Http2) => return Err(HeadError::HostMissing),
        };
        let Some(given) = given else {
            return Ok(host);
        };
        // The writer puts the one that counts first.
        if let Some(index) = self.known.host {
            self.dropped.insert(index);
        }
        Ok(given)
    }

    /// In HTTP/1.0 a body may follow that nothing announced (FR-4): what comes after such a
    /// request is never read as another one.
    pub(super) fn keep_alive(&self, version: Version, method: &str, framing: Framing) -> bool {
        let wanted = match version {
            Version::Http11 | Version::Http2 => true,
            Version::Http10 => {
                let bounded = framing != Framing::None || matches!(method, "GET" | "HEAD");
                self.options.keep_alive && bounded
            }
        };
        wanted && !self.options.close
    }

    /// FR-20. `h2c` would be a second protocol that nobody has read the requests of.
    pub(super) fn upgrade(&self, version: Version, framing: Framing) -> Option<&'b [u8]> {
        let wanted = self.options.upgrade
            && self.upgrades == 1
            && version == Version::Http11
            && framing.is_empty();
        self.upgrade.filter(|value| {
            wanted && !value.is_empty() && !elements(value).any(|p| p.eq_ignore_ascii_case(b"h2c"))
        })
    }
}

/// Keeps the first index.
#[inline]
fn first(slot: &mut Option<u8>, index: u8) {
    if slot.is_none() {
        *slot = Some(index);
    }
}
