//! The tables of `meshcore_abi.h`, which explains their members, as Rust lays them out.
//!
//! They grow at their ends and change nowhere else: `tests/fixtures/abi/layout.json` is frozen, and
//! both the header and these are held against it.

use std::ffi::{c_char, c_int, c_void};

/// `MESHCORE_ABI_MAJOR`.
pub const MAJOR: u32 = 1;
/// `MESHCORE_ABI_MINOR`.
pub const MINOR: u32 = 1;
/// Bytes of version 1.0's `mc_filter`.
pub const FILTER_1_0: usize = 32;

/// `MESHCORE_CONTINUE`.
pub const CONTINUE: c_int = 0;
/// `MESHCORE_ANSWERED`.
pub const ANSWERED: c_int = 1;
/// `MESHCORE_PAUSE`.
pub const PAUSE: c_int = 2;

/// `MESHCORE_REFUSED_PHASE`.
pub const REFUSED_PHASE: c_int = -1;
/// `MESHCORE_REFUSED_INVALID`.
pub const REFUSED_INVALID: c_int = -2;
/// `MESHCORE_REFUSED_FULL`.
pub const REFUSED_FULL: c_int = -3;
/// `MESHCORE_REFUSED_UNKNOWN`.
pub const REFUSED_UNKNOWN: c_int = -4;
/// `MESHCORE_REFUSED_FAILED`.
pub const REFUSED_FAILED: c_int = -5;

/// `MESHCORE_EDITS_REQUEST_BODY`.
pub const EDITS_REQUEST_BODY: u32 = 1;
/// `MESHCORE_EDITS_RESPONSE_BODY`.
pub const EDITS_RESPONSE_BODY: u32 = 2;

/// `mc_str`: bytes that belong to someone else.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct McStr {
    /// Where they begin; may be null where there are none.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

impl McStr {
    /// No bytes.
    pub const EMPTY: Self = Self {
        ptr: std::ptr::null(),
        len: 0,
    };

    /// A view of `bytes`.
    pub const fn of(bytes: &[u8]) -> Self {
        Self {
            ptr: bytes.as_ptr(),
            len: bytes.len(),
        }
    }
}

/// Gives a view of a fact.
pub type Getter = unsafe extern "C" fn(*mut c_void, *mut McStr) -> c_int;
/// Gives a view of what has a name.
pub type NamedGetter = unsafe extern "C" fn(*mut c_void, McStr, *mut McStr) -> c_int;
/// Takes one value.
pub type Setter = unsafe extern "C" fn(*mut c_void, McStr) -> c_int;
/// Takes a name and a value.
pub type NamedSetter = unsafe extern "C" fn(*mut c_void, McStr, McStr) -> c_int;
/// Gives a number.
pub type Number = unsafe extern "C" fn(*mut c_void) -> c_int;

/// `mc_host`: engine to filter.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header explains each")]
pub struct McHost {
    pub abi: u32,
    pub struct_size: u32,
    // 1.0
    pub get_header: NamedGetter,
    pub set_header: NamedSetter,
    // 1.1
    pub add_header: NamedSetter,
    pub remove_header: Setter,
    pub header_at: unsafe extern "C" fn(*mut c_void, usize, *mut McStr, *mut McStr) -> c_int,
    pub get_method: Getter,
    pub get_path: Getter,
    pub get_query: Getter,
    pub get_authority: Getter,
    pub get_scheme: Getter,
    pub get_protocol: Getter,
    pub get_identity: Getter,
    pub get_source_address: Getter,
    pub get_source_ip: Getter,
    pub get_local_address: Getter,
    pub get_server_name: Getter,
    pub get_listener: Getter,
    pub get_route: Getter,
    pub get_cluster: Getter,
    pub get_endpoint: Getter,
    pub get_request_id: Getter,
    pub set_method: Setter,
    pub set_path: Setter,
    pub get_status: Number,
    pub route_to: Setter,
    pub get_body: Getter,
    pub body_ends: Number,
    pub set_body: Setter,
    pub get_metadata: NamedGetter,
    pub set_metadata: NamedSetter,
    pub get_data: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    pub set_data: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    pub respond: unsafe extern "C" fn(*mut c_void, c_int, McStr) -> c_int,
    pub log: unsafe extern "C" fn(*mut c_void, c_int, McStr) -> c_int,
    pub define_counter: unsafe extern "C" fn(McStr) -> c_int,
    pub add_counter: unsafe extern "C" fn(*mut c_void, c_int, u64) -> c_int,
    pub pause: unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> c_int,
    pub resume: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    pub now: unsafe extern "C" fn() -> u64,
}

/// `mc_callback`.
pub type Callback = unsafe extern "C" fn(*const McHost, *mut c_void, *mut c_void) -> c_int;
/// `mc_create`.
pub type Create = unsafe extern "C" fn(*const McHost, McStr, *mut *mut c_void, *mut McStr) -> c_int;
/// `mc_destroy`.
pub type Destroy = unsafe extern "C" fn(*mut c_void);

/// `mc_filter`: filter to engine.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the header explains each")]
pub struct McFilter {
    pub abi: u32,
    pub struct_size: u32,
    // 1.0
    pub name: *const c_char,
    pub on_request: Option<Callback>,
    pub state: *mut c_void,
    // 1.1
    pub flags: u32,
    pub reserved: u32,
    pub create: Option<Create>,
    pub destroy: Option<Destroy>,
    pub on_connection: Option<Callback>,
    pub on_request_body: Option<Callback>,
    pub on_upstream: Option<Callback>,
    pub on_response: Option<Callback>,
    pub on_response_body: Option<Callback>,
    pub on_log: Option<Callback>,
}

impl McFilter {
    /// A table of this version with nothing in it.
    pub const EMPTY: Self = Self {
        abi: MAJOR,
        #[expect(clippy::cast_possible_truncation, reason = "about a hundred bytes")]
        struct_size: size_of::<Self>() as u32,
        name: std::ptr::null(),
        on_request: None,
        state: std::ptr::null_mut(),
        flags: 0,
        reserved: 0,
        create: None,
        destroy: None,
        on_connection: None,
        on_request_body: None,
        on_upstream: None,
        on_response: None,
        on_response_body: None,
        on_log: None,
    };
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
