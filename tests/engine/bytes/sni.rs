//! TLS that passes through, routed by the name in its hello; and listeners that find out what comes.

use serde_json::json;

use crate::stage::{Authority, Upstream, client_config, given, server_config};

#[test]
fn passthrough_goes_by_the_name_in_the_hello() {
    let authority = Authority::new();
    let (one, two) = (Upstream::new(), Upstream::new());
    let proxy = given()
        .tcp()
        .listener(
            json!({"protocol": "tls_passthrough", "to": [], "sni_routes": [
                {"sni": ["one.test"], "to": [{"cluster": "one"}]},
                {"sni": ["*.two.test"], "to": [{"cluster": "two"}]},
            ]}),
        )
        .also(json!({
            "clusters": [{"name": "one"}, {"name": "two"}],
            "endpoints": [
                {"name": "one", "endpoints": [{"address": one.address()}]},
                {"name": "two", "endpoints": [{"address": two.address()}]},
            ],
        }))
        .to(crate::stage::nobody())
        .start();
    for (name, upstream) in [("one.test", &one), ("a.two.test", &two)] {
        let config = server_config(&authority.issue(&[name]), None);
        let client = proxy.connect();
        std::thread::scope(|scope| {
            let served = scope.spawn(move || upstream.accept().accept_tls(&config).unwrap());
            let mut client = client.tls(&client_config(&authority, None), name).unwrap();
            client.send("through");
            assert_eq!(served.join().unwrap().exactly(7), b"through");
        });
    }
}

#[test]
fn an_auto_listener_tells_http_from_bytes() {
    let (http, bytes) = (Upstream::new(), Upstream::new());
    let proxy = given()
        .to(http.address())
        .listener(json!({"protocol": "auto", "to": [{"cluster": "raw"}]}))
        .also(json!({
            "clusters": [{"name": "raw"}],
            "endpoints": [{"name": "raw", "endpoints": [{"address": bytes.address()}]}],
        }))
        .start();
    let mut client = proxy.connect();
    client.get("/path");
    let mut peer = http.accept();
    assert_eq!(peer.message().target(), "/path");
    peer.answer("as http");
    assert_eq!(client.message().text(), "as http");
    let mut client = proxy.connect();
    client.send([0, 1, 2, 3]);
    assert_eq!(bytes.accept().exactly(4), [0, 1, 2, 3]);
}
