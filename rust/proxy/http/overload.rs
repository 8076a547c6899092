//! What is refused because there is too much, by priority.

use super::admit::Refusal;
use super::record::Record;
use super::reply::Reply;
use super::request::Request;
use crate::error::ErrorKind;
use crate::policy::overload::Stage;
use crate::policy::priority::Priority;
use crate::pool::ClusterRun;
use crate::route::Route;
use crate::runtime::clock;

impl Request<'_> {
    /// How much the request matters, as its route says.
    pub(super) fn priority(&self, route: &Route) -> Priority {
        route.priority.as_ref().map_or(Priority::Default, |rule| {
            let value = rule.header().and_then(|name| self.view().value(name));
            rule.of(value)
        })
    }

    /// Refuses what the process has no room for. The client of HTTP/1 loses its connection with it, which
    /// makes room too; on one of HTTP/2 others may go on.
    pub(super) fn shed(&self, route: &Route) -> Result<(), Refusal> {
        let worker = self.conn.worker();
        let stage = worker.overload.stage();
        if stage < Stage::RefuseLow {
            return Ok(());
        }
        let priority = self.priority(route);
        if !stage.refuses(priority) {
            return Ok(());
        }
        worker.stats.shed_requests_total.record(priority);
        Err(Refusal {
            reusable: false,
            ..self.refuse(Reply::overloaded(ErrorKind::Overload))
        })
    }

    /// Takes a place under the limit that the cluster has learned, until it answers.
    pub(super) fn enter(
        &self,
        route: &Route,
        cluster: &ClusterRun,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        let Some(gradient) = &cluster.cluster.adaptive else {
            return Ok(());
        };
        let now = clock::nanos(clock::now());
        match gradient.enter(self.priority(route), now) {
            Some(place) => {
                record.place = Some(Box::new(place));
                Ok(())
            }
            None => Err(self.refuse(Reply::overloaded(ErrorKind::ConcurrencyLimit))),
        }
    }
}
