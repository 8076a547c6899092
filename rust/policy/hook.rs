//! Hooks as they are called: compiled from their resource, shared by the routes that use them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::abi::{Instance, Phase, Phases};
use crate::runtime::slot::Slot;
use crate::wire;
use crate::wire::Problems;
use crate::wire::hook::{HookUse, OnError};

/// A hook.
#[derive(Debug)]
pub struct Hook {
    /// Its name.
    pub name: Arc<str>,
    /// What it was made of: an equal one is the same hook.
    pub wire: Arc<wire::Hook>,
    /// How long it may take, or pause.
    pub timeout: Duration,
    /// What is called.
    pub kind: Kind,
    /// Where workers keep what they have of it.
    pub slot: Slot,
}

/// What is called.
#[derive(Debug)]
pub enum Kind {
    /// Native code, on the worker.
    Native(Box<Instance>),
    /// A Python function, asked over the desk.
    Python(Box<Python>),
}

/// A Python function.
#[derive(Debug)]
pub struct Python {
    /// When it is asked.
    pub phase: Phase,
    /// The fields that it is told, in lower case.
    pub headers: Box<[Box<str>]>,
    /// Bytes of the request's body that it is told.
    pub body_bytes: usize,
    /// What is remembered of its verdicts.
    pub cache: Option<Cache>,
    /// Questions on their way, called or waiting; bounded by `room_for`.
    pub asked: Arc<std::sync::atomic::AtomicU32>,
    /// The most of them.
    pub room_for: u32,
}

/// What is remembered of verdicts.
#[derive(Debug)]
pub struct Cache {
    /// What they depend on.
    pub key: Box<[Part]>,
    /// How long one holds.
    pub ttl: Duration,
    /// How many each worker remembers.
    pub entries: usize,
}

/// A part of a cache's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The values of a field.
    Header(Box<str>),
    /// What the client's certificate proved.
    Identity,
    /// The method.
    Method,
    /// The path, normalised.
    Path,
    /// The query.
    Query,
    /// Host and port.
    Authority,
    /// The client's address.
    SourceIp,
    /// The route's name.
    Route,
    /// The listener's name.
    Listener,
    /// The name of the TLS hello.
    Sni,
}

/// A hook where it is used.
#[derive(Debug, Clone)]
pub struct Use {
    /// The hook.
    pub hook: Arc<Hook>,
    /// A request whose hook fails goes on.
    pub allow: bool,
}

/// The hooks of a route or listener, in the order of their calls.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    /// All of them.
    pub uses: Box<[Use]>,
    /// The phases of any of them.
    pub phases: Phases,
}

/// What stands behind a name.
#[derive(Debug)]
pub enum Found {
    /// A hook.
    Hook(Arc<Hook>),
    /// A hook with problems, which are noted already.
    Broken,
    /// Nothing.
    Unknown,
}

impl Hooks {
    /// Finds the hooks of `uses`, which stand at `at`; most places have none.
    pub fn compile(
        uses: &[HookUse],
        at: &str,
        find: &dyn Fn(&str) -> Found,
        problems: &mut Problems,
    ) -> Option<Arc<Self>> {
        let mut found = Vec::with_capacity(uses.len());
        for (index, wanted) in uses.iter().enumerate() {
            match find(&wanted.name) {
                Found::Hook(hook) => found.push(Use {
                    allow: wanted.on_error.unwrap_or(hook.wire.on_error) == OnError::Allow,
                    hook,
                }),
                Found::Broken => {}
                Found::Unknown => problems.add(
                    "hook_unknown",
                    format!("{at}[{index}]"),
                    format!("there is no hook {:?}", wanted.name),
                    "add it in the same change",
                ),
            }
        }
        let none = Phases::NONE;
        let phases = found
            .iter()
            .fold(none, |all, one| all.union(one.hook.phases()));
        (!found.is_empty()).then(|| {
            Arc::new(Self {
                uses: found.into(),
                phases,
            })
        })
    }
}

/// What a hook decided, with what it changes in the message whose phase it was; of an answer, its
/// fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The changes, in their order.
    pub edits: Vec<FieldEdit>,
    /// What becomes of the request.
    pub verdict: Verdict,
}

/// One change of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldEdit {
    /// The field has this value alone.
    Set(Arc<str>, Vec<u8>),
    /// The field has this value too.
    Add(Arc<str>, Vec<u8>),
    /// The field goes.
    Remove(Arc<str>),
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Continue,
    /// It is answered; the connection of one that isn't a request is closed.
    Answer {
        /// 200 to 599.
        status: u16,
        /// What follows the head.
        body: Bytes,
    },
    /// It goes to this cluster.
    RouteTo(Box<str>),
}

impl Hook {
    /// The phases in which it is called.
    pub fn phases(&self) -> Phases {
        match &self.kind {
            Kind::Native(instance) => instance.phases(),
            Kind::Python(python) => Phases::NONE.with(python.phase),
        }
    }
}
