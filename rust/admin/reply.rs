//! What an endpoint answers, before it is an HTTP response.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: String,
    allow: Option<&'static str>,
}

impl Reply {
    /// Plain text.
    pub(super) fn text(body: impl Into<String>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
            allow: None,
        }
    }

    /// A refusal that says why.
    pub(super) fn refusal(status: StatusCode, why: &str) -> Self {
        Self::text(format!("{why}\n")).with(status)
    }

    /// JSON for people and programs.
    pub(super) fn json(value: &Value) -> Self {
        Self {
            content_type: "application/json",
            ..Self::text(format!("{value:#}\n"))
        }
    }

    /// The Prometheus exposition.
    pub(super) fn prometheus(body: String) -> Self {
        Self {
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            ..Self::text(body)
        }
    }

    /// A page.
    pub(super) fn html(body: String) -> Self {
        Self {
            content_type: "text/html; charset=utf-8",
            ..Self::text(body)
        }
    }

    /// The same with another status.
    pub(super) fn with(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same, naming the methods that would do.
    pub(super) fn allowing(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// As HTTP; browsers neither keep, guess about nor run anything of it.
    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, self.content_type);
        set(header::CACHE_CONTROL, "no-store");
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
        );
        if let Some(methods) = self.allow {
            set(header::ALLOW, methods);
        }
        response
    }
}
