//! What a filter sees of a request, its answer or its connection, and what it changes there.

use std::ffi::c_void;
use std::sync::Arc;

use super::names::{Answer, Names};
use super::run::Run;
use crate::abi::{Attribute, Edit, Level, Phase, Refused, Subject};
use crate::policy::hook::{FieldEdit, Hook};
use crate::protocol::editable;
use crate::protocol::head::{Field, FieldSet, numbered};
use crate::proxy::connection::Downstream;
use crate::proxy::hooks::address;
use crate::proxy::http::request::Request;

/// Changes of fields that hooks may make of one message: more would be a head's worth.
const EDITS_MAX: usize = 256;
/// Bytes of an answer that a filter makes itself, or of a piece in place of another.
const BODY_BYTES: usize = 16 << 20;

/// What a filter sees at one call.
pub(super) struct Seen<'a> {
    pub(super) phase: Phase,
    pub(super) hook: &'a Arc<Hook>,
    /// Made when a filter first leaves something: most look and let pass.
    pub(super) run: &'a mut Option<Box<Run>>,
    pub(super) conn: Option<&'a Downstream>,
    /// In the phases of a request's head.
    pub(super) request: Option<&'a Request<'a>>,
    /// Of the message whose phase it is.
    pub(super) fields: &'a [Field<'a>],
    pub(super) hidden: FieldSet,
    pub(super) names: Names<'a>,
    pub(super) status: u16,
    /// In the phases of bodies: a piece, and whether it is the last.
    pub(super) piece: Option<(&'a [u8], bool)>,
    /// Whether the filter said that it changes bodies.
    pub(super) edits_bodies: bool,
    /// What the piece becomes.
    pub(super) replaced: Option<Vec<u8>>,
    /// What it answers: the status, fields, and what follows.
    pub(super) answer: Option<Answer>,
    /// An address as text, while it is looked at.
    pub(super) text: String,
}

impl<'a> Seen<'a> {
    /// Nothing but the hook and what it has done.
    pub(super) fn new(phase: Phase, hook: &'a Arc<Hook>, run: &'a mut Option<Box<Run>>) -> Self {
        Self {
            phase,
            hook,
            run,
            conn: None,
            request: None,
            fields: &[],
            hidden: FieldSet::EMPTY,
            names: Names::default(),
            status: 0,
            piece: None,
            edits_bodies: false,
            replaced: None,
            answer: None,
            text: String::new(),
        }
    }

    /// The changes made so far of the message whose phase it is.
    fn edits(&self) -> &[FieldEdit] {
        match (&self.answer, self.phase) {
            (Some(answer), _) => &answer.fields,
            (None, Phase::Request | Phase::Upstream) => {
                self.run.as_ref().map_or(&[][..], |run| &run.edits)
            }
            (None, Phase::Response) => self.run.as_ref().map_or(&[][..], |run| &run.answer_edits),
            _ => &[],
        }
    }

    fn run(&mut self) -> &mut Run {
        self.run.get_or_insert_default()
    }

    fn edits_mut(&mut self) -> Option<&mut Vec<FieldEdit>> {
        match (&mut self.answer, self.phase) {
            (Some(answer), _) => Some(&mut answer.fields),
            (None, Phase::Request | Phase::Upstream) => {
                Some(&mut self.run.get_or_insert_default().edits)
            }
            (None, Phase::Response) => Some(&mut self.run.get_or_insert_default().answer_edits),
            _ => None,
        }
    }

    fn as_it_came(&self, name: &[u8]) -> Option<&[u8]> {
        numbered(self.fields)
            .find(|(index, field)| {
                field.name.as_bytes().eq_ignore_ascii_case(name) && !self.hidden.contains(*index)
            })
            .map(|(_, field)| field.value)
    }
}

impl Subject for Seen<'_> {
    fn header(&self, name: &[u8]) -> Option<&[u8]> {
        let mut gone = false;
        let mut changed = None;
        let named = |of: &Arc<str>| of.as_bytes().eq_ignore_ascii_case(name);
        for edit in self.edits() {
            match edit {
                FieldEdit::Set(of, value) if named(of) => {
                    (gone, changed) = (true, Some(&**value));
                }
                FieldEdit::Add(of, value) if named(of) => {
                    changed = changed.or(Some(value));
                }
                FieldEdit::Remove(of) if named(of) => (gone, changed) = (true, None),
                _ => {}
            }
        }
        let came = if gone { None } else { self.as_it_came(name) };
        came.or(changed)
    }

    fn header_at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let shown = numbered(self.fields).filter(|(index, _)| !self.hidden.contains(*index));
        let (_, field) = { shown }.nth(index)?;
        Some((field.name.as_bytes(), field.value))
    }

    fn edit(&mut self, edit: Edit<'_>) -> Result<(), Refused> {
        let (Edit::Set(name, _) | Edit::Add(name, _) | Edit::Remove(name)) = edit;
        let name = editable::name(name).ok_or(Refused::Invalid)?;
        let edits = self.edits_mut().ok_or(Refused::Phase)?;
        if edits.len() >= EDITS_MAX {
            return Err(Refused::Full);
        }
        edits.push(match edit {
            Edit::Set(_, value) | Edit::Add(_, value) if !editable::is_value(value) => {
                return Err(Refused::Invalid);
            }
            Edit::Set(_, value) => FieldEdit::Set(name, value.to_vec()),
            Edit::Add(_, value) => FieldEdit::Add(name, value.to_vec()),
            Edit::Remove(_) => FieldEdit::Remove(name),
        });
        Ok(())
    }

    fn attribute(&mut self, which: Attribute) -> Option<&[u8]> {
        let some = |text: &'_ str| (!text.is_empty()).then_some(());
        let head = self.request.map(|request| request.head);
        let run = self.run.as_deref();
        let text = match which {
            Attribute::Method => {
                let method = head.map(|head| head.method);
                run.and_then(|run| run.method.as_deref()).or(method)
            }
            Attribute::Path => {
                let path = self.request.map(|request| &*request.path);
                run.and_then(|run| run.path.as_deref()).or(path)
            }
            Attribute::Query => head.and_then(|head| head.query),
            Attribute::Authority => head.map(|head| head.authority.text),
            Attribute::Scheme => self.request.map(|request| request.view().scheme),
            Attribute::Protocol => self.request.map(|request| request.facts.version.as_str()),
            Attribute::Identity => {
                let identity = self.conn.and_then(|conn| conn.identity.as_ref());
                identity.map(|identity| identity.name())
            }
            Attribute::SourceAddress => {
                self.text = address(self.conn.and_then(|conn| conn.peer));
                Some(&*self.text)
            }
            Attribute::SourceIp => self.conn.map(Downstream::peer_ip),
            Attribute::LocalAddress => {
                self.text = address(self.conn.and_then(|conn| conn.io.socket().local_addr()));
                Some(&*self.text)
            }
            Attribute::ServerName => self.conn.and_then(|conn| conn.sni.as_deref()),
            Attribute::Listener => Some(self.names.listener),
            Attribute::Route => Some(self.names.route),
            Attribute::Cluster => {
                let chosen = run.and_then(|run| run.cluster.as_deref());
                chosen.or(Some(self.names.cluster))
            }
            Attribute::Endpoint => Some(self.names.endpoint),
            Attribute::RequestId => return self.request.and_then(Request::request_id),
        };
        let text = text?;
        some(text)?;
        Some(text.as_bytes())
    }

    fn set_attribute(&mut self, which: Attribute, value: &[u8]) -> Result<(), Refused> {
        let (Some(request), Phase::Request | Phase::Upstream) = (self.request, self.phase) else {
            return Err(Refused::Phase);
        };
        let sound = match which {
            Attribute::Method => editable::is_method(request.head.method, value),
            Attribute::Path => editable::is_path(value),
            _ => return Err(Refused::Unknown),
        };
        let text = std::str::from_utf8(value).ok().filter(|_| sound);
        let text = Some(Box::from(text.ok_or(Refused::Invalid)?));
        if which == Attribute::Method {
            self.run().method = text;
        } else {
            self.run().path = text;
        }
        Ok(())
    }

    fn status(&self) -> u16 {
        self.status
    }

    fn route_to(&mut self, cluster: &[u8]) -> Result<(), Refused> {
        let (Some(request), Phase::Request | Phase::Upstream) = (self.request, self.phase) else {
            return Err(Refused::Phase);
        };
        let name = std::str::from_utf8(cluster).map_err(|_| Refused::Unknown)?;
        request.pools.snapshot.slot(name).ok_or(Refused::Unknown)?;
        self.run().cluster = Some(name.into());
        Ok(())
    }

    fn body(&self) -> Option<&[u8]> {
        let (came, _) = self.piece?;
        Some(self.replaced.as_deref().unwrap_or(came))
    }

    fn body_ends(&self) -> bool {
        self.piece.is_some_and(|(_, last)| last)
    }

    fn set_body(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if self.piece.is_none() || !self.edits_bodies {
            return Err(Refused::Phase);
        }
        if bytes.len() > BODY_BYTES {
            return Err(Refused::Full);
        }
        self.replaced = Some(bytes.to_vec());
        Ok(())
    }

    fn metadata(&self, key: &[u8]) -> Option<&[u8]> {
        self.run.as_ref()?.metadata.get(key)
    }

    fn set_metadata(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.run().metadata.set(key, value)
    }

    fn data(&self) -> *mut c_void {
        let run = self.run.as_ref();
        run.map_or(std::ptr::null_mut(), |run| run.data.get(self.hook))
    }

    fn set_data(&mut self, data: *mut c_void) {
        let hook = self.hook;
        self.run().data.set(hook, data);
    }

    fn respond(&mut self, status: u16, body: &[u8]) -> Result<(), Refused> {
        if !matches!(
            self.phase,
            Phase::Request | Phase::Upstream | Phase::Response
        ) {
            return Err(Refused::Phase);
        }
        if !(200..=599).contains(&status) {
            return Err(Refused::Invalid);
        }
        if body.len() > BODY_BYTES {
            return Err(Refused::Full);
        }
        self.answer = Some(Answer {
            status,
            fields: Vec::new(),
            body: body.to_vec(),
        });
        Ok(())
    }

    fn log(&mut self, level: Level, text: &[u8]) {
        if let Some(conn) = self.conn {
            let text = String::from_utf8_lossy(text);
            let line = format!("hook {}: {text}", self.hook.name);
            conn.worker().say(level.as_str(), line);
        }
    }
}
