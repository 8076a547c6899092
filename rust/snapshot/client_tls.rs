//! Compiles a cluster's TLS section: one form for HTTP/1 and bytes, one for HTTP/2.
//!
//! They differ in the ALPN names that they offer; roots, certificate and sessions are shared.

use std::sync::Arc;

use crate::tls::connect::ClientTls;
use crate::tls::credentials::Credentials;
use crate::wire::cluster::{Protocol, Tls};
use crate::wire::{self, Problems};

/// The names of HTTP/2 and HTTP/1.1 in ALPN (RFC 9113 §3.2, RFC 7301 §6).
const H2: &str = "h2";
const HTTP11: &str = "http/1.1";

/// What a cluster's TLS section became.
#[derive(Debug, Clone, Default)]
pub(super) struct Forms {
    /// `Cluster::tls`.
    pub(super) http1: Option<Arc<ClientTls>>,
    /// `Cluster::tls_h2`.
    pub(super) h2: Option<Arc<ClientTls>>,
}

/// Compiles the section, if there is one. What `before` compiled is kept, and with it the sessions
/// that it began, where neither the section nor the protocol has changed.
pub(super) fn compile(
    cluster: &wire::Cluster,
    before: Option<(&wire::Cluster, &Forms)>,
    credentials: &Credentials,
    problems: &mut Problems,
) -> Forms {
    let Some(tls) = &cluster.tls else {
        return Forms::default();
    };
    if let Some((wire, forms)) = before
        && wire.tls.as_ref() == Some(tls)
        && wire.protocol == cluster.protocol
    {
        return forms.clone();
    }
    let Some(compiled) = ClientTls::compile(tls, credentials, problems) else {
        return Forms::default();
    };
    let (http1, h2) = offers(cluster.protocol, tls);
    Forms {
        http1: Some(Arc::new(compiled.offering(&http1))),
        h2: h2.map(|names| Arc::new(compiled.offering(&names))),
    }
}

/// The names that each form offers. What the section names comes first; but where the client
/// decides, the endpoint must not, so that there each form keeps to its own protocol.
fn offers(protocol: Protocol, tls: &Tls) -> (Vec<&str>, Option<Vec<&str>>) {
    let named: Vec<&str> = tls.alpn.iter().map(String::as_str).collect();
    let or = |default: &[&'static str]| {
        if named.is_empty() {
            default.to_vec()
        } else {
            named.clone()
        }
    };
    match protocol {
        Protocol::Http1 => (named, None),
        Protocol::Http2 => {
            let h2 = or(&[H2]);
            (named, Some(h2))
        }
        Protocol::Auto => {
            let h2 = or(&[H2, HTTP11]);
            (named, Some(h2))
        }
        Protocol::Same => {
            let others = named.into_iter().filter(|name| *name != H2).collect();
            (others, Some(vec![H2]))
        }
    }
}
