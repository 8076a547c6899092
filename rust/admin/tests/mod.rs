//! Requests written by hand over real sockets, and what comes back.

mod boundary;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{View, serve};

#[derive(Default)]
struct Engine {
    draining: AtomicBool,
    quits: AtomicU32,
    level: Mutex<String>,
}

impl View for Engine {
    fn ready(&self) -> bool {
        self.state() == "LIVE"
    }

    fn state(&self) -> &'static str {
        if self.draining.load(Ordering::Relaxed) {
            "DRAINING"
        } else {
            "LIVE"
        }
    }

    fn stats_prometheus(&self) -> String {
        "# TYPE a_total counter\na_total 1\n".to_owned()
    }

    fn stats_json(&self) -> Value {
        json!({
            "engine": {"generation": 3},
            "clusters": {"api": {
                "requests_total": 5, "resends_total": 0, "responses_total": {"2xx": 4},
                "request_duration_seconds": {"count": 5, "p50": 0.25, "p99": null},
                "endpoints": {"127.0.0.1:9001": {"requests_total": 5}},
            }},
        })
    }

    fn clusters(&self) -> Value {
        json!([{"name": "api", "balance": "random",
            "endpoints": [{"address": "127.0.0.1:9001", "weight": 2}]}])
    }

    fn listeners(&self) -> Value {
        json!([{"name": "web", "address": "127.0.0.1:8080", "protocol": "http"}])
    }

    fn config_dump(&self) -> Value {
        json!({
            "generation": 3,
            "clusters": [{"name": "api"}, {"name": "db"}],
            "listeners": [{"name": "web"}],
        })
    }

    fn server_info(&self) -> Value {
        json!({"state": self.state()})
    }

    fn quit(&self) {
        self.quits.fetch_add(1, Ordering::Relaxed);
    }

    fn drain_listeners(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn set_log_level(&self, level: &str) -> Result<(), String> {
        if level != "debug" {
            return Err("levels are error, warn, info, debug".to_owned());
        }
        level.clone_into(&mut self.level.lock().unwrap());
        Ok(())
    }
}

struct Server {
    address: SocketAddr,
    engine: Arc<Engine>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test's runtime owns the server"
    )]
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let engine = Arc::<Engine>::default();
        let view: Arc<dyn View> = Arc::<Engine>::clone(&engine);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, view, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            engine,
            stop,
            task,
        }
    }

    /// Sends `bytes`, reads to the end; gives the status and the whole response.
    async fn raw(&self, bytes: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let status = response
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        (status.unwrap_or(0), response)
    }

    async fn ask(&self, method: &str, target: &str, fields: &str) -> (u16, String) {
        let host = self.address;
        self.raw(&format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        ))
        .await
    }

    async fn get(&self, target: &str) -> (u16, String) {
        let (status, response) = self.ask("GET", target, "").await;
        let body = response.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }
}

#[tokio::test]
async fn every_reading_endpoint_answers() {
    let server = Server::start().await;
    for (target, part) in [
        ("/", "<form method=post action=\"/quitquitquit\">"),
        ("/help", "/config_dump: the running configuration"),
        ("/ready", "LIVE\n"),
        ("/readyz", "LIVE\n"),
        ("/livez", "ok\n"),
        ("/startupz", "LIVE\n"),
        ("/server_info", "\"state\": \"LIVE\""),
        ("/stats/prometheus", "a_total 1\n"),
        ("/metrics", "a_total 1\n"),
        ("/stats?format=prometheus", "a_total 1\n"),
        ("/clusters?format=json", "\"balance\": \"random\""),
        ("/listeners?format=json", "\"protocol\": \"http\""),
    ] {
        let (status, body) = server.get(target).await;
        assert_eq!(status, 200, "{target}");
        assert!(body.contains(part), "{target}: {body}");
    }
}

#[tokio::test]
async fn statistics_are_lines_with_dotted_names() {
    let server = Server::start().await;
    let (_, all) = server.get("/stats").await;
    let mut lines: Vec<_> = all.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "cluster.api.endpoint.127.0.0.1:9001.requests_total: 5",
            "cluster.api.request_duration_seconds.count: 5",
            "cluster.api.request_duration_seconds.p50: 0.25",
            "cluster.api.requests_total: 5",
            "cluster.api.resends_total: 0",
            "cluster.api.responses_total.2xx: 4",
            "engine.generation: 3",
        ]
    );
    let (_, some) = server
        .get("/stats?filter=%5Ecluster%5C.api%5C.re%5Bqs%5D&usedonly")
        .await;
    assert!(
        some.contains("requests_total") && !some.contains("resends_total"),
        "{some}"
    );
    assert!(!some.contains("engine"), "{some}");
    let (_, text) = server.get("/stats?format=json&filter=generation").await;
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        read,
        json!({"stats": [{"name": "engine.generation", "value": 3}]})
    );
}

#[tokio::test]
async fn clusters_and_listeners_read_as_envoy_writes_them() {
    let server = Server::start().await;
    let (_, clusters) = server.get("/clusters").await;
    assert_eq!(
        clusters,
        "api::balance::random\napi::127.0.0.1:9001::weight::2\n"
    );
    let (_, listeners) = server.get("/listeners").await;
    assert_eq!(listeners, "web::127.0.0.1:8080\n");
}

#[tokio::test]
async fn a_config_dump_is_narrowed_by_kind_and_name() {
    let server = Server::start().await;
    let (_, text) = server
        .get("/config_dump?resource=clusters&name_regex=%5Ea")
        .await;
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        read,
        json!({"generation": 3, "clusters": [{"name": "api"}]})
    );
    let (status, why) = server.get("/config_dump?resource=cluster").await;
    assert_eq!(
        (status, why.as_str()),
        (400, "resource is one of clusters, listeners\n")
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let server = Server::start().await;
    for (target, part) in [
        ("/stats?format=xml", "format is"),
        ("/stats?filter=(", "unclosed group"),
        ("/stats?filter=a%7B9999%7D%7B9999%7D", "size limit"),
        ("/stats?format=prometheus&usedonly", "go with format"),
        (
            "/stats?used",
            "unknown parameter \"used\": /stats takes filter",
        ),
        ("/ready?x=1", "takes no parameters"),
        ("/clusters?format=xml", "format is"),
        ("/config_dump?name_regex=%5B", "unclosed"),
        ("/stats?filter=%zz", "percent-encoded"),
    ] {
        let (status, body) = server.get(target).await;
        assert_eq!(status, 400, "{target}");
        assert!(body.contains(part), "{target}: {body}");
    }
    assert_eq!(server.get("/nothing").await.0, 404);
    assert_eq!(server.ask("POST", "/stats", "").await.0, 405);
    assert_eq!(server.ask("PUT", "/quitquitquit", "").await.0, 405);
}

#[tokio::test]
async fn changes_take_post_alone() {
    let server = Server::start().await;
    for target in ["/quitquitquit", "/drain_listeners", "/logging?level=debug"] {
        let (status, response) = server.ask("GET", target, "").await;
        assert_eq!(status, 400, "{target}");
        assert!(response.contains("allow: POST"), "{response}");
    }
    assert_eq!(server.engine.quits.load(Ordering::Relaxed), 0);
    assert!(server.engine.ready());
    assert_eq!(*server.engine.level.lock().unwrap(), "");

    assert_eq!(server.ask("POST", "/logging?level=debug", "").await.0, 200);
    assert_eq!(*server.engine.level.lock().unwrap(), "debug");
    assert_eq!(server.ask("POST", "/logging?level=loud", "").await.0, 400);
    assert_eq!(server.ask("POST", "/logging", "").await.0, 400);
    assert_eq!(
        server.ask("POST", "/drain_listeners?graceful", "").await.0,
        200
    );
    assert_eq!(server.get("/ready").await, (503, "DRAINING\n".to_owned()));
    assert_eq!(server.get("/livez").await.0, 200);
    assert_eq!(server.ask("POST", "/quitquitquit", "").await.0, 200);
    assert_eq!(server.engine.quits.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_form_gives_parameters_and_is_small() {
    let server = Server::start().await;
    let form = |body: &str| {
        let kind = "Content-Type: application/x-www-form-urlencoded";
        format!("{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let (status, _) = server.ask("POST", "/logging", &form("level=debug")).await;
    assert_eq!(status, 200);
    assert_eq!(*server.engine.level.lock().unwrap(), "debug");
    let (status, _) = server
        .ask("POST", "/logging", &form(&"x".repeat(5_000)))
        .await;
    assert_eq!(status, 413);
}
