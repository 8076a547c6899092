//! TLS ended here, begun here, and changed while it runs.

use serde_json::json;

use crate::stage::{
    Authority, Given, Peer, Proxy, Upstream, client_config, given, noise, server_config,
};

/// A listener that shows a certificate for `web.test`.
fn given_tls(authority: &Authority, upstream: &Upstream) -> Given {
    given()
        .to(upstream.address())
        .listener(json!({"tls": {"certificates": ["web"]}}))
        .credential(authority.issue(&["web.test"]).credential("web"))
}

fn connect(proxy: &Proxy, authority: &Authority) -> Peer {
    let config = client_config(authority, None);
    proxy.connect().tls(&config, "web.test").unwrap()
}

#[test]
fn requests_come_out_plain_and_many_bytes_pass() {
    let (authority, upstream) = (Authority::new(), Upstream::new());
    let proxy = given_tls(&authority, &upstream).start();
    let mut client = connect(&proxy, &authority);
    client.get("/");
    let mut peer = upstream.accept();
    assert_eq!(peer.message().field("x-forwarded-proto"), "https");
    let body = noise(3_000_000, 11);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            peer.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                body.len()
            ));
            peer.send(&body);
        });
        assert!(client.message().body == body);
    });
    client.get("/again");
    assert_eq!(peer.message().target(), "/again");
    peer.answer("kept");
    assert_eq!(client.message().text(), "kept");
    proxy.has("/listeners/web/tls_handshakes_total", 1);
}

#[test]
fn an_idle_tls_connection_has_the_idle_time_and_ends_cleanly() {
    let (authority, upstream) = (Authority::new(), Upstream::new());
    let proxy = given_tls(&authority, &upstream)
        .listener(json!({"timeouts": {"header_ms": 5_000, "idle_ms": 30}}))
        .start();
    connect(&proxy, &authority).ends();
}

#[test]
fn a_cut_is_visible_under_tls() {
    let (authority, upstream) = (Authority::new(), Upstream::new());
    let proxy = given_tls(&authority, &upstream).start();
    let mut client = connect(&proxy, &authority);
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 200 OK\r\n\r\nsome");
    client.head();
    assert_eq!(client.exactly(4), b"some");
    peer.reset();
    client.is_cut();
}

#[test]
fn a_reset_under_tls_frees_the_upstream() {
    let (authority, upstream) = (Authority::new(), Upstream::new());
    let proxy = given_tls(&authority, &upstream).start();
    let mut client = connect(&proxy, &authority);
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    client.reset();
    peer.is_left();
}

#[test]
fn plain_bytes_on_a_tls_listener_are_counted_and_dropped() {
    let (authority, upstream) = (Authority::new(), Upstream::new());
    let proxy = given_tls(&authority, &upstream).start();
    let mut client = proxy.connect();
    client.get("/");
    client.is_left();
    proxy.has("/listeners/web/tls_errors_total", 1);
}

#[test]
fn an_upstream_must_prove_its_name() {
    let (authority, upstream) = (Authority::new(), Upstream::new());
    let start = |name: &str| {
        given()
            .to(upstream.address())
            .cluster(json!({"tls": {"ca": "ca", "server_name": name}}))
            .credential(authority.credential("ca"))
            .start()
    };
    let config = server_config(&authority.issue(&["api.test"]), None);
    let proxy = start("api.test");
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept().accept_tls(&config).unwrap();
    peer.message();
    peer.answer("proved");
    assert_eq!(client.message().text(), "proved");
    let proxy = start("other.test");
    let mut client = proxy.connect();
    client.get("/");
    assert!(upstream.accept().accept_tls(&config).is_err());
    client.message().is_local(503, "upstream_tls_failed");
    // A stranger's certificate for the right name.
    let stranger = server_config(&Authority::new().issue(&["other.test"]), None);
    let mut client = proxy.connect();
    client.get("/");
    assert!(upstream.accept().accept_tls(&stranger).is_err());
    client.message().is_local(503, "upstream_tls_failed");
}

#[test]
fn an_identity_decides_the_route() {
    let (authority, upstream) = (Authority::new(), Upstream::new());
    let proxy = given()
        .to(upstream.address())
        .listener(json!({"tls": {"certificates": ["web"], "client_ca": "ca"}}))
        .route(json!({"match": {"identity": {"exact": "spiffe://test/ns/a/sa/client"}}}))
        .credential(authority.issue(&["web.test"]).credential("web"))
        .credential(authority.credential("ca"))
        .start();
    let as_one = |identity: &str| {
        let own = authority.issue_identity(identity);
        let config = client_config(&authority, Some(&own));
        proxy.connect().tls(&config, "web.test").unwrap()
    };
    let mut friend = as_one("spiffe://test/ns/a/sa/client");
    friend.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.answer("welcome");
    assert_eq!(friend.message().text(), "welcome");
    let mut other = as_one("spiffe://test/ns/a/sa/other");
    other.get("/");
    other.message().is_local(404, "no_route");
    // Without a certificate, TLS 1.3 tells the client after its own last flight.
    let nobody = proxy
        .connect()
        .tls(&client_config(&authority, None), "web.test");
    if let Ok(mut nobody) = nobody {
        let _ = nobody.try_send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(nobody.try_message().is_err());
    }
    proxy.has("/listeners/web/tls_errors_total", 1);
}

#[test]
fn a_certificate_changes_without_a_dropped_connection() {
    let (old, new, upstream) = (Authority::new(), Authority::new(), Upstream::new());
    let given = given_tls(&old, &upstream);
    let mut listener = given.delta()["listeners"][0].clone();
    let proxy = given.start();
    let mut client = connect(&proxy, &old);
    client.get("/");
    let mut peer = upstream.accept();
    peer.head();
    listener["tls"] = json!({"certificates": ["web-2"]});
    let credential = new.issue(&["web.test"]).credential("web-2");
    proxy
        .apply_with(&json!({"listeners": [listener]}), vec![credential])
        .unwrap();
    peer.answer("still here");
    assert_eq!(client.message().text(), "still here");
    client.get("/on");
    assert_eq!(peer.message().target(), "/on");
    peer.answer("and on");
    assert_eq!(client.message().text(), "and on");
    let mut client = connect(&proxy, &new);
    client.get("/");
    peer.message();
    peer.answer("new");
    assert_eq!(client.message().text(), "new");
    let refused = proxy.connect().tls(&client_config(&old, None), "web.test");
    assert!(refused.is_err());
}
