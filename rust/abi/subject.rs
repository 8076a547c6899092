//! What a filter sees and may do at each of its calls.

use std::ffi::c_void;

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// A connection was accepted, and its TLS handshake has ended.
    Connection,
    /// A request's head has its route.
    Request,
    /// A piece of a request's body passes.
    RequestBody,
    /// A cluster was chosen, and no endpoint yet.
    Upstream,
    /// An upstream's head has come.
    Response,
    /// A piece of an answer's body passes.
    ResponseBody,
    /// A request has ended.
    Log,
}

impl Phase {
    /// Every phase, in the order in which a request meets them.
    pub const ALL: [Self; 7] = [
        Self::Connection,
        Self::Request,
        Self::RequestBody,
        Self::Upstream,
        Self::Response,
        Self::ResponseBody,
        Self::Log,
    ];

    /// As documents and metrics call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Request => "request",
            Self::RequestBody => "request_body",
            Self::Upstream => "upstream",
            Self::Response => "response",
            Self::ResponseBody => "response_body",
            Self::Log => "log",
        }
    }
}

/// A set of phases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases(u8);

impl Phases {
    /// None.
    pub const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, phase: Phase) -> Self {
        Self(self.0 | 1 << phase as u8)
    }

    /// Those that `others` hasn't.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// All of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `phase` is among them.
    pub const fn has(self, phase: Phase) -> bool {
        self.0 & (1 << phase as u8) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What can be asked of a request or its connection, besides fields. The C header gives each a
/// function of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// As it came, or as a hook set it.
    Method,
    /// Normalised, without the query; as a hook set it.
    Path,
    /// Behind the `?`, not decoded.
    Query,
    /// Host and port, as they came.
    Authority,
    /// `http` or `https`.
    Scheme,
    /// `HTTP/1.1` and so on.
    Protocol,
    /// What the client's certificate proved.
    Identity,
    /// The client's address and port.
    SourceAddress,
    /// The client's address alone.
    SourceIp,
    /// The address that the client dialled.
    LocalAddress,
    /// The name that the client's TLS hello asked for.
    ServerName,
    /// The listener's name.
    Listener,
    /// The route's name.
    Route,
    /// The cluster's name, once one is chosen.
    Cluster,
    /// The endpoint's address, once one is chosen.
    Endpoint,
    /// The request's id, where the listener gives one or the client brought one.
    RequestId,
}

/// A change of a message's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit<'a> {
    /// The field has this value alone.
    Set(&'a [u8], &'a [u8]),
    /// The field has this value too.
    Add(&'a [u8], &'a [u8]),
    /// The field goes.
    Remove(&'a [u8]),
}

/// Why the engine didn't do what a filter asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It has no place in this phase.
    Phase,
    /// A name or value that no head may hold, or a field that is the proxy's own.
    Invalid,
    /// A bound is reached.
    Full,
    /// There is no such thing.
    Unknown,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something may fail.
    Warning,
    /// Something happened.
    Info,
    /// For whoever looks closely.
    Debug,
}

impl Level {
    /// As the operator reads it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// One request, answer or connection, as a filter may see and change it. A slice stays valid until
/// the next change of what it shows, or the end of the call.
pub trait Subject {
    /// The first value of a field of the message whose phase it is, with the changes made so far.
    fn header(&self, name: &[u8]) -> Option<&[u8]>;

    /// A field of the message as it came, by its position.
    fn header_at(&self, index: usize) -> Option<(&[u8], &[u8])>;

    /// Changes the fields of the message whose phase it is.
    ///
    /// # Errors
    /// Nothing was changed.
    fn edit(&mut self, edit: Edit<'_>) -> Result<(), Refused>;

    /// A fact.
    fn attribute(&mut self, which: Attribute) -> Option<&[u8]>;

    /// Changes the method or the path that the upstream gets; the route stays.
    ///
    /// # Errors
    /// Nothing was changed.
    fn set_attribute(&mut self, which: Attribute, value: &[u8]) -> Result<(), Refused>;

    /// The answer's status; 0 before there is one.
    fn status(&self) -> u16;

    /// Sends the request to another cluster than its route's.
    ///
    /// # Errors
    /// There is no such cluster, or it is too late.
    fn route_to(&mut self, cluster: &[u8]) -> Result<(), Refused>;

    /// The piece of the body that passes, in the phases of bodies.
    fn body(&self) -> Option<&[u8]>;

    /// Whether nothing of the body follows this piece.
    fn body_ends(&self) -> bool;

    /// Another piece in its place, of any length.
    ///
    /// # Errors
    /// The filter didn't say (`MESHCORE_EDITS_…`) that it changes bodies, or it isn't their phase.
    fn set_body(&mut self, bytes: &[u8]) -> Result<(), Refused>;

    /// What a hook noted of this request.
    fn metadata(&self, key: &[u8]) -> Option<&[u8]>;

    /// Notes something for later hooks.
    ///
    /// # Errors
    /// The request has as much as it may.
    fn set_metadata(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refused>;

    /// This hook's own pointer of this request; null at first.
    fn data(&self) -> *mut c_void;

    /// Sets it.
    fn set_data(&mut self, data: *mut c_void);

    /// Prepares an answer; its fields are then changed by `edit`.
    ///
    /// # Errors
    /// It is too late, or the status is none of 200 to 599.
    fn respond(&mut self, status: u16, body: &[u8]) -> Result<(), Refused>;

    /// Says something to the operator.
    fn log(&mut self, level: Level, text: &[u8]);
}

/// What a filter's call came to.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Continue,
    /// It is answered with this status, 400 to 599, and no more.
    Status(u16),
    /// It is answered with what `Subject::respond` was told.
    Answered,
    /// The filter will say later: this becomes its code, 0 or 400 to 599; an error where it let go.
    Paused(tokio::sync::oneshot::Receiver<i32>),
    /// The filter broke the contract.
    Fault(Fault),
}

/// How a filter broke the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A code that means nothing.
    Code(i32),
    /// It says that it has answered, and has not.
    NoAnswer,
    /// It says that it pauses, and has not asked for that.
    NoPause,
    /// It pauses where nothing can wait.
    PauseRefused,
}
