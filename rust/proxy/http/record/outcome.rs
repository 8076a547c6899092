//! What each attempt came to, for those who judge endpoints by it.

use std::rc::Rc;

use super::{Record, Source};
use crate::error::ErrorKind;
use crate::policy::outcome::Outcome;
use crate::pool::InFlight;
use crate::runtime::clock;

impl Record {
    /// An attempt begins.
    pub(in crate::proxy::http) fn chose_endpoint(&mut self, flight: &InFlight) {
        self.endpoint = Some(Rc::clone(flight.run()));
        self.probes = flight.probes().cloned();
    }

    /// The answer's head is there.
    pub(in crate::proxy::http) fn answered(&mut self, status: u16) {
        self.has_answer(status);
        self.came_to(Outcome::answered(status, self.grpc_status));
    }

    /// A gRPC call is answered; how it went is still to come.
    pub(in crate::proxy::http) fn answered_call(&mut self, status: u16) {
        self.has_answer(status);
        self.source = Source::Call;
    }

    fn has_answer(&mut self, status: u16) {
        self.status = status;
        self.answered = Some(clock::now());
        self.leave(status >= 500);
    }

    /// The attempt failed; another may follow. Of connects, those who make them tell.
    pub(in crate::proxy::http) fn attempt_failed(&mut self, kind: ErrorKind) {
        match Outcome::of(kind) {
            None | Some(Outcome::Unconnected) => {}
            Some(outcome) => self.came_to(outcome),
        }
    }

    /// Notes what the attempt came to.
    pub(in crate::proxy::http) fn came_to(&mut self, outcome: Outcome) {
        if let (Some(cluster), Some(endpoint)) = (&self.cluster, &self.endpoint) {
            cluster.came_to(endpoint, self.probes.as_deref(), outcome);
        }
    }

    /// A call has ended, and how it went is known.
    pub(super) fn settle_call(&mut self) {
        if self.source == Source::Call && self.error.is_none() {
            self.came_to(Outcome::answered(self.status, self.grpc_status));
        }
    }
}
