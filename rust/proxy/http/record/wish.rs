//! What an answer says of its endpoint: that it wants to be left alone for a while.

use super::Record;
use crate::policy::hold;
use crate::protocol::head::{Field, values};
use crate::runtime::clock;

impl Record {
    /// Takes up a wish in a final head, where the cluster says so. `call`: the answer to one of gRPC.
    #[inline]
    pub(in crate::proxy::http) fn heed(&self, status: u16, fields: &[Field<'_>], call: bool) {
        let cluster = self.cluster.as_ref();
        if cluster.is_some_and(|run| run.cluster.wire.honor_retry_after)
            && (call || matches!(status, 429 | 503))
        {
            self.take_up(status, fields, call);
        }
    }

    #[cold]
    fn take_up(&self, status: u16, fields: &[Field<'_>], call: bool) {
        let named = |name| values(fields, name).next();
        let pushed = named("grpc-retry-pushback-ms").filter(|_| call);
        let wait = match (pushed, status) {
            (Some(value), _) => hold::pushback(value),
            (None, 429 | 503) => named("retry-after")
                .and_then(|value| hold::retry_after(value, clock::wall_micros() / 1_000_000)),
            _ => None,
        };
        let (Some(wait), Some(cluster), Some(endpoint)) = (wait, &self.cluster, &self.endpoint)
        else {
            return;
        };
        if !wait.is_zero() {
            cluster.stats.held_back_total.increment();
            let now_us = clock::nanos(clock::now()) / 1_000;
            endpoint.endpoint.hold.extend(now_us, wait);
        }
    }
}
