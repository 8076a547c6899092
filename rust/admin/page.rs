//! The index: a status page for browsers, text for terminals.

use std::fmt::Write as _;

use super::View;
use super::endpoints::{ENDPOINTS, Endpoint};
use super::reply::Reply;

/// `/help`.
pub(super) fn text() -> Reply {
    let mut out = String::from("admin endpoints:\n");
    for endpoint in ENDPOINTS {
        let Endpoint { path, help, .. } = endpoint;
        let post = if endpoint.changes { " (POST)" } else { "" };
        let _ = writeln!(out, "  {path}{post}: {help}");
    }
    Reply::text(out)
}

/// `/`: all text in it is ours, except the state, which is one of three words.
pub(super) fn html(view: &dyn View) -> Reply {
    let mut out = String::from("<!doctype html><html lang=en><meta charset=utf-8>");
    let version = env!("CARGO_PKG_VERSION");
    let state = view.state();
    let _ = write!(
        out,
        "<title>meshcore</title><h1>meshcore {version}: {state}</h1><table>"
    );
    for endpoint in ENDPOINTS {
        let Endpoint { path, help, .. } = endpoint;
        let link = if endpoint.changes {
            format!("<form method=post action=\"{path}\"><button>POST {path}</button></form>")
        } else {
            format!("<a href=\"{path}\">{path}</a>")
        };
        let _ = write!(out, "<tr><td>{link}<td>{help}");
    }
    out.push_str("</table></html>\n");
    Reply::html(out)
}
