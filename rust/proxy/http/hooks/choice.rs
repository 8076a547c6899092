//! What hooks make of the choice of a cluster.

use std::rc::Rc;

use crate::pool::ClusterRun;
use crate::proxy::http::admit::Refusal;
use crate::proxy::http::record::Record;
use crate::proxy::http::request::Request;
use crate::route::{Route, Share};

/// A cluster, and the share by which it was chosen, unless a hook has named it.
pub(in crate::proxy::http) type Choice<'r> = (Option<&'r Share>, Rc<ClusterRun>);

impl<'a> Request<'a> {
    /// What hooks make of the choice of a cluster. Apart, since most requests don't come here.
    #[inline(never)]
    pub(in crate::proxy::http) fn hooked_choice(
        &self,
        route: &'a Route,
        (share, cluster): (Option<&'a Share>, Option<Rc<ClusterRun>>),
        record: &mut Record,
    ) -> Result<Option<Choice<'a>>, Refusal> {
        if let Some(cluster) = &cluster {
            self.hook_upstream(route, &cluster.cluster.name, record)?;
        }
        let Some(name) = record.hooks.as_ref().and_then(|run| run.cluster.as_deref()) else {
            return Ok(share.map(Some).zip(cluster));
        };
        let slot = self.pools.snapshot.slot(name);
        let found = slot.and_then(|slot| self.conn.worker().cluster(&self.pools, slot));
        Ok(found.map(|cluster| (None, Rc::clone(cluster))))
    }
}
