//! The engine's table: each function of `meshcore_abi.h`, in the header's order.
#![expect(
    unsafe_code,
    reason = "a filter gives and gets raw pointers: that is what a C ABI is"
)]

use std::ffi::{c_int, c_void};

use super::call::{
    Call, MAX_BODY, MAX_TEXT, bytes, change, change_named, done, give, guarded, named, refusal,
    with_call,
};
use super::table::{MAJOR, McHost, McStr, REFUSED_INVALID};
use super::{Attribute, Edit, Level, Refused, counters, waiting};
use crate::runtime::clock;

/// The only one.
pub(super) static HOST: McHost = McHost {
    abi: MAJOR,
    #[expect(clippy::cast_possible_truncation, reason = "some hundred bytes")]
    struct_size: size_of::<McHost>() as u32,
    get_header,
    set_header,
    add_header,
    remove_header,
    header_at,
    get_method,
    get_path,
    get_query,
    get_authority,
    get_scheme,
    get_protocol,
    get_identity,
    get_source_address,
    get_source_ip,
    get_local_address,
    get_server_name,
    get_listener,
    get_route,
    get_cluster,
    get_endpoint,
    get_request_id,
    set_method,
    set_path,
    get_status,
    route_to,
    get_body,
    body_ends,
    set_body,
    get_metadata,
    set_metadata,
    get_data,
    set_data,
    respond,
    log,
    define_counter,
    add_counter,
    pause,
    resume,
    now,
};

unsafe extern "C" fn get_header(req: *mut c_void, name: McStr, value: *mut McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe { named(req, name, value, |call, name| call.subject.header(name)) }
}

unsafe extern "C" fn set_header(req: *mut c_void, name: McStr, value: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change_named(req, (name, value), |call, name, value| {
            call.subject.edit(Edit::Set(&name, &value))
        })
    }
}

unsafe extern "C" fn add_header(req: *mut c_void, name: McStr, value: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change_named(req, (name, value), |call, name, value| {
            call.subject.edit(Edit::Add(&name, &value))
        })
    }
}

unsafe extern "C" fn remove_header(req: *mut c_void, name: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change(req, (name, MAX_TEXT), |call, name| {
            call.subject.edit(Edit::Remove(&name))
        })
    }
}

unsafe extern "C" fn header_at(
    req: *mut c_void,
    index: usize,
    name: *mut McStr,
    value: *mut McStr,
) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    let act = |call: &mut Call<'_>| unsafe {
        let field = call.subject.header_at(index);
        give(name, field.map(|(name, _)| name))?;
        give(value, field.map(|(_, value)| value))
    };
    // SAFETY: the filter keeps the contract of the header.
    unsafe { with_call(req, act) }
}

/// A getter for each attribute.
macro_rules! attributes {
    ($($function:ident: $which:ident),* $(,)?) => { $(
        unsafe extern "C" fn $function(req: *mut c_void, value: *mut McStr) -> c_int {
            // SAFETY: the filter keeps the contract of the header.
            unsafe {
                with_call(req, |call| give(value, call.subject.attribute(Attribute::$which)))
            }
        }
    )* };
}

attributes! {
    get_method: Method,
    get_path: Path,
    get_query: Query,
    get_authority: Authority,
    get_scheme: Scheme,
    get_protocol: Protocol,
    get_identity: Identity,
    get_source_address: SourceAddress,
    get_source_ip: SourceIp,
    get_local_address: LocalAddress,
    get_server_name: ServerName,
    get_listener: Listener,
    get_route: Route,
    get_cluster: Cluster,
    get_endpoint: Endpoint,
    get_request_id: RequestId,
}

unsafe extern "C" fn set_method(req: *mut c_void, value: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change(req, (value, MAX_TEXT), |call, value| {
            call.subject.set_attribute(Attribute::Method, &value)
        })
    }
}

unsafe extern "C" fn set_path(req: *mut c_void, value: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change(req, (value, MAX_TEXT), |call, value| {
            call.subject.set_attribute(Attribute::Path, &value)
        })
    }
}

unsafe extern "C" fn get_status(req: *mut c_void) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe { with_call(req, |call| Ok(c_int::from(call.subject.status()))) }
}

unsafe extern "C" fn route_to(req: *mut c_void, cluster: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change(req, (cluster, MAX_TEXT), |call, cluster| {
            call.subject.route_to(&cluster)
        })
    }
}

unsafe extern "C" fn get_body(req: *mut c_void, piece: *mut McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe { with_call(req, |call| give(piece, call.subject.body())) }
}

unsafe extern "C" fn body_ends(req: *mut c_void) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe { with_call(req, |call| Ok(c_int::from(call.subject.body_ends()))) }
}

unsafe extern "C" fn set_body(req: *mut c_void, piece: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change(req, (piece, MAX_BODY), |call, piece| {
            call.subject.set_body(&piece)
        })
    }
}

unsafe extern "C" fn get_metadata(req: *mut c_void, key: McStr, value: *mut McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe { named(req, key, value, |call, key| call.subject.metadata(key)) }
}

unsafe extern "C" fn set_metadata(req: *mut c_void, key: McStr, value: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change_named(req, (key, value), |call, key, value| {
            call.subject.set_metadata(&key, &value)
        })
    }
}

unsafe extern "C" fn get_data(req: *mut c_void) -> *mut c_void {
    let mut data = std::ptr::null_mut();
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        with_call(req, |call| {
            data = call.subject.data();
            Ok(0)
        });
    }
    data
}

unsafe extern "C" fn set_data(req: *mut c_void, data: *mut c_void) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        with_call(req, |call| {
            call.subject.set_data(data);
            Ok(0)
        })
    }
}

unsafe extern "C" fn respond(req: *mut c_void, status: c_int, body: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change(req, (body, MAX_BODY), |call, body| {
            let status = u16::try_from(status).map_err(|_| Refused::Invalid)?;
            call.subject.respond(status, &body)?;
            call.answered = true;
            Ok(())
        })
    }
}

unsafe extern "C" fn log(req: *mut c_void, level: c_int, text: McStr) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe {
        change(req, (text, MAX_TEXT), |call, text| {
            let level = match level {
                0 => Level::Error,
                1 => Level::Warning,
                2 => Level::Info,
                3 => Level::Debug,
                _ => return Err(Refused::Invalid),
            };
            call.subject.log(level, &text);
            Ok(())
        })
    }
}

unsafe extern "C" fn define_counter(name: McStr) -> c_int {
    guarded(|| {
        // SAFETY: the filter keeps the contract of the header.
        let name = unsafe { bytes(name, MAX_TEXT) }?;
        counters::define(name).map_err(refusal)
    })
}

unsafe extern "C" fn add_counter(req: *mut c_void, id: c_int, n: u64) -> c_int {
    // SAFETY: the filter keeps the contract of the header.
    unsafe { with_call(req, |call| done(call.counters.add(id, n))) }
}

unsafe extern "C" fn pause(req: *mut c_void, token: *mut *mut c_void) -> c_int {
    let act = |call: &mut Call<'_>| {
        if token.is_null() {
            return Err(REFUSED_INVALID);
        }
        let number = call.ask_to_wait().map_err(refusal)?;
        // SAFETY: not null, and the filter keeps the contract of the header.
        unsafe { token.write(std::ptr::without_provenance_mut(number)) };
        Ok(0)
    };
    // SAFETY: the filter keeps the contract of the header.
    unsafe { with_call(req, act) }
}

unsafe extern "C" fn resume(token: *mut c_void, code: c_int) -> c_int {
    guarded(|| done(waiting::resume(token.addr(), code)))
}

unsafe extern "C" fn now() -> u64 {
    clock::nanos(clock::now())
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
