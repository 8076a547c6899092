//! A subject that notes what is asked of it, and filters made of closures.
#![expect(unsafe_code, reason = "a filter gets pointers")]

use std::ffi::{c_int, c_void};

use super::adopt::Table;
use super::registry::Filter;
use super::table::{McFilter, McHost};
use super::{Attribute, Edit, Instance, Level, Phase, Refused, Subject, Verdict};

/// What a closure of a test does as a filter's callback.
pub(super) type Act<'a> = &'a mut dyn FnMut(&McHost, *mut c_void) -> c_int;

/// A request whose facts are their own names.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) did: Vec<String>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) data: usize,
    pub(super) refuse: Option<Refused>,
    pub(super) panic: bool,
    /// The last fact that was asked for.
    pub(super) fact: String,
}

impl Fake {
    pub(super) fn new(fields: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| (name.as_bytes().into(), value.as_bytes().into());
        Self {
            fields: fields.iter().map(own).collect(),
            ..Self::default()
        }
    }

    fn note(&mut self, what: String) -> Result<(), Refused> {
        assert!(!self.panic, "as the test wants it");
        self.refuse.map_or(Ok(()), Err)?;
        self.did.push(what);
        Ok(())
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl Subject for Fake {
    fn header(&self, name: &[u8]) -> Option<&[u8]> {
        assert!(!self.panic, "as the test wants it");
        let mut fields = self.fields.iter();
        let found = fields.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    fn header_at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let field = self.fields.get(index);
        field.map(|(name, value)| (&**name, &**value))
    }

    fn edit(&mut self, edit: Edit<'_>) -> Result<(), Refused> {
        match edit {
            Edit::Set(name, value) => {
                self.note(format!("set {} {}", text(name), text(value)))?;
                self.fields.retain(|(other, _)| other != name);
                self.fields.push((name.into(), value.into()));
            }
            Edit::Add(name, value) => {
                self.note(format!("add {} {}", text(name), text(value)))?;
            }
            Edit::Remove(name) => self.note(format!("remove {}", text(name)))?,
        }
        Ok(())
    }

    fn attribute(&mut self, which: Attribute) -> Option<&[u8]> {
        self.fact = format!("{which:?}");
        (which != Attribute::Identity).then_some(self.fact.as_bytes())
    }

    fn set_attribute(&mut self, which: Attribute, value: &[u8]) -> Result<(), Refused> {
        self.note(format!("{which:?} {}", text(value)))
    }

    fn status(&self) -> u16 {
        204
    }

    fn route_to(&mut self, cluster: &[u8]) -> Result<(), Refused> {
        self.note(format!("to {}", text(cluster)))
    }

    fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    fn body_ends(&self) -> bool {
        self.body.is_some()
    }

    fn set_body(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.note(format!("body {}", text(bytes)))
    }

    fn metadata(&self, key: &[u8]) -> Option<&[u8]> {
        (key == b"plan").then_some(b"gold")
    }

    fn set_metadata(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.note(format!("metadata {} {}", text(key), text(value)))
    }

    fn data(&self) -> *mut c_void {
        std::ptr::without_provenance_mut(self.data)
    }

    fn set_data(&mut self, data: *mut c_void) {
        self.data = data.addr();
    }

    fn respond(&mut self, status: u16, body: &[u8]) -> Result<(), Refused> {
        self.note(format!("respond {status} {}", text(body)))
    }

    fn log(&mut self, level: Level, line: &[u8]) {
        let _ = self.note(format!("{level:?} {}", text(line)));
    }
}

unsafe extern "C" fn run(host: *const McHost, req: *mut c_void, state: *mut c_void) -> c_int {
    // SAFETY: `during` made the state, and the engine's table is static.
    unsafe { (*state.cast::<Act<'_>>())(&*host, req) }
}

/// A table that says `run` in every phase.
pub(super) fn in_every_phase(state: *mut c_void) -> McFilter {
    McFilter {
        name: c"fake".as_ptr(),
        state,
        on_connection: Some(run),
        on_request: Some(run),
        on_request_body: Some(run),
        on_upstream: Some(run),
        on_response: Some(run),
        on_response_body: Some(run),
        on_log: Some(run),
        ..McFilter::EMPTY
    }
}

/// An instance of a table.
pub(super) fn instance(table: McFilter, config: &str) -> Result<Instance, String> {
    let filter = Filter {
        name: "fake".into(),
        table: Table(table),
    };
    Instance::of(&filter, config)
}

/// Calls a filter that does `act`. Nothing in there may panic: it would end the tests.
pub(super) fn during(phase: Phase, subject: &mut Fake, act: Act<'_>) -> Verdict {
    let mut act = act;
    let table = in_every_phase((&raw mut act).cast());
    instance(table, "").unwrap().call(phase, subject)
}
