//! Where a request wants to go: to the endpoint of its session, else to that of its key.

use std::rc::Rc;
use std::sync::Arc;

use super::record::Record;
use super::request::Request;
use crate::balance::{self, Random};
use crate::pool::{Aim, ClusterRun, Wish};
use crate::route::{HashOn, Hashers, Route, SessionAffinity, Share, Split};

/// The session that a request belongs to.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) affinity: Arc<SessionAffinity>,
    /// The address that the client carries.
    pub(super) named: Option<String>,
}

impl Request<'_> {
    /// The request's session, where its route has any.
    pub(super) fn session(&self, route: &Route) -> Option<Session> {
        let affinity = Arc::clone(route.session_affinity.as_ref()?);
        let named = affinity.named(&self.view());
        Some(Session { affinity, named })
    }

    /// The share that takes the request: the one with the session's endpoint, else by weight.
    pub(super) fn share<'r>(
        &self,
        split: &'r Split,
        session: Option<&Session>,
    ) -> Option<&'r Share> {
        let worker = self.conn.worker();
        if let Some(named) = session.and_then(|session| session.named.as_deref()) {
            let has = |share: &&Share| {
                let cluster = worker.cluster(&self.pools, share.cluster);
                cluster.is_some_and(|cluster| cluster.index_of(named).is_some())
            };
            if let Some(share) = split.shares().find(has) {
                return Some(share);
            }
        }
        worker.with_random(|random| split.pick(random.next_u64()))
    }

    /// What the choice of an endpoint of `cluster` depends on. What the answer tells the client of
    /// that is noted.
    pub(super) fn aim(
        &self,
        route: &Route,
        session: Option<Session>,
        cluster: &ClusterRun,
        record: &mut Record,
    ) -> Option<Rc<Aim>> {
        let hash_on = route.hash_on.as_ref().filter(|_| cluster.goes_by_keys());
        let hash = hash_on.and_then(|hash_on| self.hash(hash_on, record));
        let wish = session.map_or(Wish::None, |session| wish(session, cluster, record));
        (hash.is_some() || wish != Wish::None).then(|| Rc::new(Aim { hash, wish }))
    }

    /// The hash of the request's key; the cookie that it may need for that is noted.
    fn hash(&self, hash_on: &HashOn, record: &mut Record) -> Option<u64> {
        let mut fresh = || self.conn.worker().with_random(Random::next_u64);
        let hashers = Hashers {
            of: balance::stable_hash,
            combine: balance::combine,
        };
        let key = hash_on.key(&self.view(), self.conn.peer_ip(), hashers, &mut fresh);
        if !key.cookies.is_empty() {
            let answering = record.answering.get_or_insert_default();
            answering.add(&key.cookies.into(), &mut |_, _| {});
        }
        key.hash
    }
}

/// The endpoint that a session wants; its client is told which one answers.
fn wish(session: Session, cluster: &ClusterRun, record: &mut Record) -> Wish {
    let named = session.named.as_deref();
    let found = named.map(|named| cluster.index_of(named));
    let wish = match (found, session.affinity.strict) {
        (Some(found), true) => Wish::Only(found),
        (Some(Some(index)), false) => Wish::Rather(index),
        (Some(None) | None, _) => Wish::None,
    };
    let answering = record.answering.get_or_insert_default();
    answering.keep(session);
    wish
}
