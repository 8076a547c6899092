//! What a native hook adds to a request: its call, and what a check of an API key does in it.

#![expect(
    unsafe_code,
    reason = "filters are functions that get pointers, here as anywhere"
)]
#![expect(clippy::expect_used, reason = "without its filter nothing is measured")]

use std::collections::HashSet;
use std::ffi::c_int;
use std::ffi::c_void;

use divan::Bencher;
use divan::black_box;
use meshcore::abi::Attribute;
use meshcore::abi::Edit;
use meshcore::abi::Instance;
use meshcore::abi::Level;
use meshcore::abi::Phase;
use meshcore::abi::Refused;
use meshcore::abi::Subject;
use meshcore::abi::Verdict;
use meshcore::abi::adopt;
use meshcore::abi::table::Callback;
use meshcore::abi::table::McFilter;
use meshcore::abi::table::McHost;
use meshcore::abi::table::McStr;

/// Keys that a filter knows.
const KEYS: usize = 1_000;
/// Calls in one sample: a single one is shorter than the clock can tell.
const CALLS: u32 = 1_000;

/// A request as most are: its fields in the order in which they came.
struct Request {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Request {
    fn new(key: &str) -> Self {
        let fields = [
            ("Host", "shop.example.com:8080"),
            ("User-Agent", "curl/8.9.1"),
            ("Accept", "application/json, text/plain;q=0.9, */*;q=0.8"),
            ("Accept-Encoding", "gzip, deflate, br"),
            ("Accept-Language", "en-GB,en;q=0.5"),
            ("Cookie", "session=4f1d6a0c9be24c5f; theme=dark"),
            ("X-Forwarded-For", "203.0.113.77"),
            ("X-Api-Key", key),
        ];
        Self {
            fields: fields
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
        }
    }
}

impl Subject for Request {
    fn header(&self, name: &[u8]) -> Option<&[u8]> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    fn header_at(&self, _: usize) -> Option<(&[u8], &[u8])> {
        None
    }

    fn edit(&mut self, _: Edit<'_>) -> Result<(), Refused> {
        Err(Refused::Phase)
    }

    fn attribute(&mut self, _: Attribute) -> Option<&[u8]> {
        None
    }

    fn set_attribute(&mut self, _: Attribute, _: &[u8]) -> Result<(), Refused> {
        Err(Refused::Phase)
    }

    fn status(&self) -> u16 {
        0
    }

    fn route_to(&mut self, _: &[u8]) -> Result<(), Refused> {
        Err(Refused::Phase)
    }

    fn body(&self) -> Option<&[u8]> {
        None
    }

    fn body_ends(&self) -> bool {
        true
    }

    fn set_body(&mut self, _: &[u8]) -> Result<(), Refused> {
        Err(Refused::Phase)
    }

    fn metadata(&self, _: &[u8]) -> Option<&[u8]> {
        None
    }

    fn set_metadata(&mut self, _: &[u8], _: &[u8]) -> Result<(), Refused> {
        Err(Refused::Phase)
    }

    fn data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }

    fn set_data(&mut self, _: *mut c_void) {}

    fn respond(&mut self, _: u16, _: &[u8]) -> Result<(), Refused> {
        Err(Refused::Phase)
    }

    fn log(&mut self, _: Level, _: &[u8]) {}
}

unsafe extern "C" fn nothing(_: *const McHost, _: *mut c_void, _: *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn known_key(host: *const McHost, req: *mut c_void, state: *mut c_void) -> c_int {
    let mut value = McStr::EMPTY;
    // SAFETY: as the header promises; the state is the set that `create` made.
    let (code, keys) = unsafe {
        let code = ((*host).get_header)(req, McStr::of(b"x-api-key"), &raw mut value);
        (code, &*state.cast::<HashSet<Vec<u8>>>())
    };
    if code != 1 {
        return 401;
    }
    // SAFETY: a view that the engine gave, within the same callback.
    let key = unsafe { std::slice::from_raw_parts(value.ptr, value.len) };
    if keys.contains(key) { 0 } else { 403 }
}

/// Reads the keys, one a line.
unsafe extern "C" fn create(
    _: *const McHost,
    config: McStr,
    state: *mut *mut c_void,
    _: *mut McStr,
) -> c_int {
    // SAFETY: as the header promises.
    let text = unsafe { std::slice::from_raw_parts(config.ptr, config.len) };
    let lines = text.split(|byte| *byte == b'\n');
    let keys: HashSet<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
    // SAFETY: as the header promises.
    unsafe { state.write(Box::into_raw(Box::new(keys)).cast()) };
    0
}

unsafe extern "C" fn destroy(state: *mut c_void) {
    // SAFETY: `create` made it, and the header promises that this is the last use.
    drop(unsafe { Box::from_raw(state.cast::<HashSet<Vec<u8>>>()) });
}

fn key(index: usize) -> String {
    format!("mk_live_{index:024x}")
}

fn no_op() -> Instance {
    let callback: Callback = nothing;
    let table = McFilter {
        name: c"no-op".as_ptr(),
        on_request: Some(callback),
        ..McFilter::EMPTY
    };
    // SAFETY: a table of its size, whose name and functions are static.
    unsafe { adopt("no-op", (&raw const table).cast()) }.expect("a valid table");
    Instance::create("no-op", "").expect("a filter that takes nothing")
}

fn api_key() -> Instance {
    let table = McFilter {
        name: c"api-key".as_ptr(),
        on_request: Some(known_key),
        create: Some(create),
        destroy: Some(destroy),
        ..McFilter::EMPTY
    };
    // SAFETY: a table of its size, whose name and functions are static.
    unsafe { adopt("api-key", (&raw const table).cast()) }.expect("a valid table");
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    Instance::create("api-key", &keys.join("\n")).expect("a filter that takes keys")
}

fn main() {
    divan::main();
}

/// What remains without a hook: the loop, and the question whether there is one.
#[divan::bench(sample_size = CALLS)]
fn without(bencher: Bencher<'_, '_>) {
    let filter = no_op();
    bencher.bench_local(|| black_box(&filter).phases().has(black_box(Phase::Response)));
}

#[divan::bench(sample_size = CALLS)]
fn no_op_call(bencher: Bencher<'_, '_>) {
    let filter = no_op();
    let mut request = Request::new("");
    bencher.bench_local(|| {
        let verdict = black_box(&filter).call(Phase::Request, &mut request);
        matches!(verdict, Verdict::Continue)
    });
}

#[divan::bench(sample_size = CALLS)]
fn key_that_is_known(bencher: Bencher<'_, '_>) {
    let filter = api_key();
    let mut requests: Vec<_> = (0..KEYS).map(|index| Request::new(&key(index))).collect();
    let mut turn = 0;
    bencher.bench_local(|| {
        // A prime step meets the keys in no order that a cache could foresee.
        turn = (turn + 617) % KEYS;
        let request = requests.get_mut(turn);
        let verdict = request.map(|request| filter.call(Phase::Request, request));
        assert!(matches!(verdict, Some(Verdict::Continue)));
    });
}

#[divan::bench(sample_size = CALLS)]
fn key_that_is_not(bencher: Bencher<'_, '_>) {
    let filter = api_key();
    let mut request = Request::new("mk_live_of_somebody_else");
    bencher.bench_local(|| {
        let verdict = filter.call(Phase::Request, &mut request);
        assert!(matches!(verdict, Verdict::Status(403)));
    });
}
