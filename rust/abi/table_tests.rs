use std::collections::BTreeMap;
use std::mem::offset_of;

use super::*;

/// The members of a table with their offsets, and its size, as the fixture has them.
macro_rules! layout {
    ($table:ident: $($member:ident)*) => {
        layout(size_of::<$table>(), &[$((stringify!($member), offset_of!($table, $member))),*])
    };
}

fn layout(size: usize, members: &[(&str, usize)]) -> serde_json::Value {
    let members: BTreeMap<_, _> = members.iter().copied().collect();
    serde_json::json!({"size": size, "members": members})
}

fn host() -> serde_json::Value {
    layout!(McHost: abi struct_size get_header set_header add_header remove_header header_at
        get_method get_path get_query get_authority get_scheme get_protocol get_identity
        get_source_address get_source_ip get_local_address get_server_name get_listener get_route
        get_cluster get_endpoint get_request_id set_method set_path get_status route_to get_body
        body_ends set_body get_metadata set_metadata get_data set_data respond log define_counter
        add_counter pause resume now)
}

fn filter() -> serde_json::Value {
    layout!(McFilter: abi struct_size name on_request state flags reserved create destroy
        on_connection on_request_body on_upstream on_response on_response_body on_log)
}

#[test]
fn tables_are_as_they_are_frozen() {
    let text = include_str!("../../tests/fixtures/abi/layout.json");
    let frozen: serde_json::Value = serde_json::from_str(text).unwrap();
    let string = layout!(McStr: ptr len);
    let now = serde_json::json!({"mc_str": string, "mc_host": host(), "mc_filter": filter()});
    assert_eq!(now, frozen[format!("{MAJOR}.{MINOR}")]);
    assert_eq!(frozen["1.0"]["mc_filter"]["size"], FILTER_1_0);
}
