#![expect(unsafe_code, reason = "calls the engine's table as a filter does")]

use super::super::fake_tests::{Act, Fake, during};
use super::super::table::{
    Getter, REFUSED_FAILED, REFUSED_FULL, REFUSED_PHASE, REFUSED_UNKNOWN, Setter,
};
use super::super::{Phase, Refused, Verdict};
use super::*;

/// A view of a literal.
fn of(text: &str) -> McStr {
    McStr::of(text.as_bytes())
}

/// A view's text, copied.
fn read(view: McStr) -> String {
    // SAFETY: the engine gave it to the callback that still runs.
    let bytes = unsafe { bytes(view, MAX_BODY) }.unwrap_or(b"?");
    String::from_utf8_lossy(bytes).into_owned()
}

/// A code with the view that came with it.
fn get(function: impl FnOnce(*mut McStr) -> c_int) -> (c_int, String) {
    let mut view = McStr::of(b"untouched");
    let code = function(&raw mut view);
    (code, read(view))
}

/// Calls a filter of a request that does `act`, and gives what it returned.
fn ask<T>(fake: &mut Fake, mut act: impl FnMut(&McHost, *mut c_void) -> T) -> T {
    let mut result = None;
    let filter: Act<'_> = &mut |host, req| {
        result = Some(act(host, req));
        0
    };
    assert!(matches!(
        during(Phase::Request, fake, filter),
        Verdict::Continue
    ));
    result.unwrap()
}

#[test]
fn the_table_says_what_it_is() {
    assert_eq!(HOST.abi, 1);
    assert_eq!(HOST.struct_size as usize, size_of::<McHost>());
}

#[test]
fn fields_are_read() {
    let mut fake = Fake::new(&[("Host", "a"), ("x-org", "")]);
    // SAFETY: as the header demands.
    let found = ask(&mut fake, |host, req| unsafe {
        let header = |name| get(|view| (host.get_header)(req, of(name), view));
        [header("host"), header("x-org"), header("none"), header("")]
    });
    let expected = [(1, "a"), (1, ""), (0, ""), (0, "")];
    assert_eq!(found, expected.map(|(code, text)| (code, text.to_owned())));
}

#[test]
fn fields_are_listed() {
    let mut fake = Fake::new(&[("host", "a")]);
    let at = |index| {
        move |host: &McHost, req| {
            let mut value = McStr::EMPTY;
            // SAFETY: as the header demands.
            let name = get(|name| unsafe { (host.header_at)(req, index, name, &raw mut value) });
            (name, read(value))
        }
    };
    assert_eq!(
        ask(&mut fake, at(0)),
        ((1, "host".to_owned()), "a".to_owned())
    );
    assert_eq!(ask(&mut fake, at(1)), ((0, String::new()), String::new()));
}

#[test]
fn what_changes_reaches_the_request() {
    let mut fake = Fake::default();
    // SAFETY: as the header demands.
    let codes = ask(&mut fake, |host, req| unsafe {
        [
            (host.set_header)(req, of("a"), of("1")),
            (host.add_header)(req, of("b"), of("2")),
            (host.remove_header)(req, of("c")),
            (host.set_method)(req, of("PUT")),
            (host.set_path)(req, of("/x")),
            (host.route_to)(req, of("blue")),
            (host.set_body)(req, of("piece")),
            (host.set_metadata)(req, of("k"), of("v")),
            (host.log)(req, 0, of("e")),
            (host.log)(req, 1, of("w")),
            (host.log)(req, 2, of("i")),
            (host.log)(req, 3, of("d")),
            (host.log)(req, 4, of("no")),
        ]
    });
    assert_eq!(codes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, REFUSED_INVALID]);
    let expected = [
        "set a 1",
        "add b 2",
        "remove c",
        "Method PUT",
        "Path /x",
        "to blue",
        "body piece",
        "metadata k v",
        "Error e",
        "Warning w",
        "Info i",
        "Debug d",
    ];
    assert_eq!(fake.did, expected);
}

#[test]
fn each_fact_has_its_function() {
    let getters: [(Getter, &str); 16] = [
        (HOST.get_method, "Method"),
        (HOST.get_path, "Path"),
        (HOST.get_query, "Query"),
        (HOST.get_authority, "Authority"),
        (HOST.get_scheme, "Scheme"),
        (HOST.get_protocol, "Protocol"),
        (HOST.get_identity, ""),
        (HOST.get_source_address, "SourceAddress"),
        (HOST.get_source_ip, "SourceIp"),
        (HOST.get_local_address, "LocalAddress"),
        (HOST.get_server_name, "ServerName"),
        (HOST.get_listener, "Listener"),
        (HOST.get_route, "Route"),
        (HOST.get_cluster, "Cluster"),
        (HOST.get_endpoint, "Endpoint"),
        (HOST.get_request_id, "RequestId"),
    ];
    for (getter, name) in getters {
        let found = ask(&mut Fake::default(), |_, req| {
            // SAFETY: as the header demands.
            get(|view| unsafe { getter(req, view) })
        });
        assert_eq!(found, (c_int::from(!name.is_empty()), name.to_owned()));
    }
}

#[test]
fn bodies_and_the_rest_are_read() {
    let mut fake = Fake {
        body: Some(b"piece".into()),
        ..Fake::default()
    };
    // SAFETY: as the header demands.
    let found = ask(&mut fake, |host, req| unsafe {
        let data = (host.get_data)(req).addr();
        let set = (host.set_data)(req, std::ptr::without_provenance_mut(7));
        let numbers = [
            (host.get_status)(req),
            (host.body_ends)(req),
            set,
            c_int::from(data == 0),
            c_int::from((host.get_data)(req).addr() == 7),
            c_int::from((host.now)() <= (host.now)()),
        ];
        let metadata = |key| get(|view| (host.get_metadata)(req, of(key), view));
        let body = get(|view| (host.get_body)(req, view));
        (numbers, [body, metadata("plan"), metadata("other")])
    });
    assert_eq!(found.0, [204, 1, 0, 1, 1, 1]);
    let expected = [(1, "piece"), (1, "gold"), (0, "")];
    assert_eq!(
        found.1,
        expected.map(|(code, text)| (code, text.to_owned()))
    );
    // SAFETY: as the header demands.
    let none = ask(&mut Fake::default(), |host, req| unsafe {
        (
            get(|view| (host.get_body)(req, view)),
            (host.body_ends)(req),
        )
    });
    assert_eq!(none, ((0, String::new()), 0));
}

#[test]
fn a_view_of_one_field_becomes_the_value_of_another() {
    let mut fake = Fake::new(&[("a", "1"), ("b", "2")]);
    // SAFETY: as the header demands.
    let codes = ask(&mut fake, |host, req| unsafe {
        let mut value = McStr::EMPTY;
        (host.get_header)(req, of("b"), &raw mut value);
        let other = (host.set_header)(req, of("a"), value);
        (host.get_header)(req, of("b"), &raw mut value);
        [other, (host.set_header)(req, of("b"), value)]
    });
    assert_eq!(codes, [0, 0]);
    assert_eq!(fake.did, ["set a 2", "set b 2"]);
}

#[test]
fn refusals_have_their_codes() {
    for (refused, expected) in [
        (Refused::Phase, REFUSED_PHASE),
        (Refused::Invalid, REFUSED_INVALID),
        (Refused::Full, REFUSED_FULL),
        (Refused::Unknown, REFUSED_UNKNOWN),
    ] {
        let mut fake = Fake {
            refuse: Some(refused),
            ..Fake::default()
        };
        // SAFETY: as the header demands.
        let codes = ask(&mut fake, |host, req| unsafe {
            [
                (host.set_header)(req, of("a"), of("1")),
                (host.route_to)(req, of("a")),
                (host.set_path)(req, of("a")),
                (host.respond)(req, 403, of("")),
            ]
        });
        assert_eq!(codes, [expected; 4]);
    }
}

#[test]
fn nonsense_is_refused() {
    let torn = McStr {
        ptr: std::ptr::null(),
        len: 1,
    };
    let long = McStr {
        ptr: b"x".as_ptr(),
        len: usize::MAX,
    };
    let null = std::ptr::null_mut();
    // SAFETY: what isn't as the header demands is what the table looks at before it believes.
    let codes = ask(&mut Fake::default(), |host, req| unsafe {
        let setters: [Setter; 5] = [
            host.remove_header,
            host.set_method,
            host.set_path,
            host.route_to,
            host.set_body,
        ];
        let with = |view| setters.map(|setter| setter(req, view));
        let getters = [
            (host.get_header)(req, of("host"), std::ptr::null_mut()),
            (host.get_path)(req, std::ptr::null_mut()),
            (host.header_at)(req, 0, std::ptr::null_mut(), std::ptr::null_mut()),
            (host.get_path)(null, std::ptr::null_mut()),
            (host.get_status)(null),
            (host.set_data)(null, null),
            (host.pause)(req, std::ptr::null_mut()),
            (host.respond)(req, -1, of("")),
            (host.respond)(req, 65_536 + 200, of("")),
        ];
        assert!((host.get_data)(null).is_null());
        (with(torn), with(long), getters)
    });
    assert_eq!(codes.0, [REFUSED_INVALID; 5]);
    assert_eq!(codes.1, [REFUSED_FULL; 5]);
    assert_eq!(codes.2, [REFUSED_INVALID; 9]);
}

#[test]
fn a_panic_of_the_engine_becomes_a_code() {
    let mut fake = Fake {
        panic: true,
        ..Fake::default()
    };
    // SAFETY: as the header demands.
    let codes = ask(&mut fake, |host, req| unsafe {
        let mut value = McStr::EMPTY;
        [
            (host.get_header)(req, of("a"), &raw mut value),
            (host.set_header)(req, of("a"), of("1")),
            (host.get_status)(req),
        ]
    });
    assert_eq!(codes, [REFUSED_FAILED, REFUSED_FAILED, 204]);
}
