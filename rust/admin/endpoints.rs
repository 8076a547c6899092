//! The table of endpoints and how a request finds its own.

use hyper::{Method, StatusCode};

use super::View;
use super::params::Params;
use super::reply::Reply;
use super::{dump, page, stats};

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    /// Asked for by POST alone.
    pub(super) changes: bool,
    /// The parameters it takes; others are refused.
    pub(super) params: &'static [&'static str],
    pub(super) help: &'static str,
    run: fn(&dyn View, &Params) -> Reply,
}

const fn shows(
    path: &'static str,
    params: &'static [&'static str],
    help: &'static str,
    run: fn(&dyn View, &Params) -> Reply,
) -> Endpoint {
    Endpoint {
        path,
        changes: false,
        params,
        help,
        run,
    }
}

const fn changes(
    path: &'static str,
    params: &'static [&'static str],
    help: &'static str,
    run: fn(&dyn View, &Params) -> Reply,
) -> Endpoint {
    Endpoint {
        changes: true,
        ..shows(path, params, help, run)
    }
}

/// All endpoints, in the order of the index.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    shows("/", &[], "status and index", |view, _| page::html(view)),
    shows("/help", &[], "this index", |_, _| page::text()),
    shows("/ready", &[], "200 LIVE, or 503 and the state", ready),
    shows("/readyz", &[], "the same, for Kubernetes", ready),
    shows(
        "/livez",
        &[],
        "200 while the service thread runs",
        |_, _| Reply::text("ok\n"),
    ),
    shows(
        "/startupz",
        &[],
        "200 once the first snapshot runs",
        started,
    ),
    shows("/server_info", &[], "version, state, uptime", |view, _| {
        Reply::json(&view.server_info())
    }),
    shows(
        "/stats",
        &["filter", "format", "usedonly"],
        "statistics: format=text|json|prometheus, filter=regex, usedonly",
        stats::stats,
    ),
    shows("/stats/prometheus", &[], "Prometheus exposition", scrape),
    shows("/metrics", &[], "the same", scrape),
    shows(
        "/clusters",
        &["format"],
        "endpoints and their state: format=json",
        dump::clusters,
    ),
    shows(
        "/listeners",
        &["format"],
        "listening addresses: format=json",
        dump::listeners,
    ),
    shows(
        "/config_dump",
        &["name_regex", "resource"],
        "the running configuration: resource=kind, name_regex=regex",
        dump::config,
    ),
    changes(
        "/logging",
        &["level"],
        "set the log level: level=name",
        logging,
    ),
    changes(
        "/drain_listeners",
        &["graceful"],
        "accept nothing new, finish what runs",
        |view, _| {
            view.drain_listeners();
            Reply::text("OK\n")
        },
    ),
    changes("/quitquitquit", &[], "stop", |view, _| {
        view.quit();
        Reply::text("OK\n")
    }),
];

/// Answers a request that was let in.
pub(super) fn dispatch(method: &Method, path: &str, params: &Params, view: &dyn View) -> Reply {
    let Some(endpoint) = ENDPOINTS.iter().find(|endpoint| endpoint.path == path) else {
        return Reply::refusal(StatusCode::NOT_FOUND, "no such endpoint; see /help");
    };
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if endpoint.changes && reads {
        let why = format!("{path} changes something: send a POST");
        return Reply::refusal(StatusCode::BAD_REQUEST, &why).allowing("POST");
    }
    if endpoint.changes && *method != Method::POST {
        let why = format!("{path} takes POST");
        return Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, &why).allowing("POST");
    }
    if !endpoint.changes && !reads {
        let why = format!("{path} takes GET");
        return Reply::refusal(StatusCode::METHOD_NOT_ALLOWED, &why).allowing("GET, HEAD");
    }
    if let Some(unknown) = params.unknown(endpoint.params) {
        let known = match endpoint.params {
            [] => "no parameters".to_owned(),
            known => known.join(", "),
        };
        let why = format!(
            "unknown parameter \"{}\": {path} takes {known}",
            unknown.escape_debug()
        );
        return Reply::refusal(StatusCode::BAD_REQUEST, &why);
    }
    (endpoint.run)(view, params)
}

fn ready(view: &dyn View, _: &Params) -> Reply {
    let state = Reply::text(format!("{}\n", view.state()));
    if view.ready() {
        state
    } else {
        state.with(StatusCode::SERVICE_UNAVAILABLE)
    }
}

fn started(view: &dyn View, _: &Params) -> Reply {
    let state = view.state();
    let reply = Reply::text(format!("{state}\n"));
    if state == "PRE_INITIALIZING" {
        reply.with(StatusCode::SERVICE_UNAVAILABLE)
    } else {
        reply
    }
}

fn scrape(view: &dyn View, _: &Params) -> Reply {
    Reply::prometheus(view.stats_prometheus())
}

fn logging(view: &dyn View, params: &Params) -> Reply {
    let Some(level) = params.value("level") else {
        return Reply::refusal(
            StatusCode::BAD_REQUEST,
            "say the level: /logging?level=info",
        );
    };
    match view.set_log_level(level) {
        Ok(()) => Reply::text(format!("{level}\n")),
        Err(why) => Reply::refusal(StatusCode::BAD_REQUEST, &why),
    }
}
