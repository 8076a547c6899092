#![expect(
    unsafe_code,
    reason = "adopts tables as a filter's author might make them"
)]

use std::ffi::{CString, c_int};

use super::super::fake_tests::in_every_phase;
use super::super::registry::{adopt, find};
use super::super::table::{Callback, McHost};
use super::*;

/// More bytes than any table has, for what a later version may append.
const LATER: usize = 64;

unsafe extern "C" fn go(_: *const McHost, _: *mut c_void, _: *mut c_void) -> c_int {
    0
}

fn table() -> McFilter {
    McFilter {
        name: c"fake".as_ptr(),
        on_request: Some(go),
        ..McFilter::EMPTY
    }
}

fn taken(table: &McFilter) -> Result<McFilter, String> {
    let table = (&raw const *table).cast();
    // SAFETY: a table, whose size is that of this version at most.
    let copied = unsafe { copy("fake", Some("fake"), table) };
    copied
        .map(|(_, table)| table.0)
        .map_err(|error| error.to_string())
}

fn refused(table: &McFilter) -> String {
    taken(table).unwrap_err()
}

#[test]
fn a_table_of_this_version_is_taken() {
    let found = taken(&table()).unwrap();
    assert!(found.on_request.is_some() && found.on_log.is_none());
}

#[test]
fn an_older_table_has_nothing_newer() {
    let mut state = 0_u8;
    let mut old = in_every_phase((&raw mut state).cast());
    old.struct_size = 32;
    old.flags = 3;
    let found = taken(&old).unwrap();
    assert!(found.on_request.is_some() && !found.state.is_null());
    assert!(found.create.is_none() && found.on_connection.is_none() && found.on_log.is_none());
    assert_eq!(found.flags, 0);
}

#[test]
fn of_a_later_table_all_that_is_known_is_taken() {
    #[repr(C)]
    struct Later(McFilter, [u8; LATER]);
    let mut later = Later(in_every_phase(std::ptr::null_mut()), [0xff; LATER]);
    later.0.struct_size = u32::try_from(size_of::<Later>()).unwrap();
    // SAFETY: as many bytes as it says.
    let copied = unsafe { copy("fake", None, (&raw const later).cast()) };
    let (name, found) = copied.unwrap();
    assert_eq!(&*name, "fake");
    assert!(found.0.on_log.is_some());
}

#[test]
fn another_version_is_refused() {
    let other = McFilter { abi: 2, ..table() };
    assert_eq!(
        refused(&other),
        "filter \"fake\" is made for version 2 of the ABI, this engine for 1.1: build it with this \
         engine's meshcore_abi.h"
    );
}

#[test]
fn a_size_that_no_version_has_is_refused() {
    for (size, words) in [
        (
            0,
            "a table of 0 bytes (struct_size); version 1.0 already has 32",
        ),
        (31, "this engine's 1.1 has 104"),
        (
            36,
            "a table of 36 bytes (struct_size), which ends inside a member",
        ),
        (103, "ends inside a member"),
    ] {
        let odd = McFilter {
            struct_size: size,
            ..table()
        };
        assert!(refused(&odd).contains(words), "{}", refused(&odd));
    }
}

#[test]
fn a_table_needs_its_name() {
    let long = CString::new("n".repeat(MAX_NAME + 1)).unwrap();
    let names = [
        std::ptr::null(),
        c"".as_ptr(),
        c"a b".as_ptr(),
        c"\xc3\xa4".as_ptr(),
        long.as_ptr(),
    ];
    for name in names {
        let nameless = McFilter { name, ..table() };
        assert!(refused(&nameless).contains("without a valid name: 1 to 64"));
    }
    let other = McFilter {
        name: c"other-1.x_y".as_ptr(),
        ..table()
    };
    let words = "filter \"fake\" has a table that calls itself \"other-1.x_y\"";
    assert_eq!(refused(&other), words);
}

#[test]
fn a_table_needs_something_to_call() {
    let mut none = McFilter {
        on_request: None,
        ..table()
    };
    assert!(refused(&none).contains("none of the callbacks"));
    none.on_log = Some(go);
    assert!(taken(&none).is_ok());
    none.struct_size = 32;
    assert!(refused(&none).contains("no on_request, which a table of version 1.0 needs"));
}

#[test]
fn null_is_no_table() {
    // SAFETY: null is allowed.
    let copied = unsafe { copy("fake", None, std::ptr::null()) };
    assert_eq!(copied.unwrap_err(), AdoptError::Null("fake".into()));
}

fn adopted(name: &str, table: &McFilter) -> Result<(), AdoptError> {
    // SAFETY: a table of its size, whose name and functions are static.
    unsafe { adopt(name, (&raw const *table).cast()) }
}

#[test]
fn the_same_filter_again_is_fine_and_another_waits_for_a_restart() {
    let one = McFilter {
        name: c"again".as_ptr(),
        ..table()
    };
    let callback: Callback = go;
    let other = McFilter {
        on_log: Some(callback),
        ..one
    };
    assert_eq!(adopted("again", &one), Ok(()));
    assert_eq!(adopted("again", &one.clone()), Ok(()));
    let error = adopted("again", &other).unwrap_err().to_string();
    assert_eq!(
        error,
        "filter \"again\" runs already, from another table: a restart of the process takes the new \
         one"
    );
    assert!(find("again").is_some_and(|filter| filter.table.0.on_log.is_none()));
    assert!(find("nowhere").is_none());
}
