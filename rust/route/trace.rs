//! How a request finds its route, told candidate by candidate, for those who ask why.

use std::cell::RefCell;

use super::RequestView;
use super::Route;
use super::RouteTable;
use super::condition::Failure;
use crate::wire::route::RouteOrder;

/// A route that a request could have taken, by host and literal path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Considered<'t> {
    /// Its position in the document.
    pub route: u32,
    /// What kept it from being taken; with `None` it is the one, or another stood before it.
    pub failure: Option<Failure<'t>>,
}

impl RouteTable {
    /// As [`RouteTable::find`], with all that was looked at on the way: in the order of the document
    /// where that decides, else as it was tried.
    pub fn trace(&self, view: &RequestView<'_>) -> (Option<&Route>, Vec<Considered<'_>>) {
        let considered = RefCell::new(Vec::new());
        let found = self.search(view, |position| {
            let failure = self.failure(position, view);
            considered.borrow_mut().push((position, failure));
            failure.is_none()
        });
        let told = |(position, failure): (u32, _)| {
            let route = self.candidates.get(position as usize)?.route;
            let route = self.routes.get(route)?.index;
            Some(Considered { route, failure })
        };
        let mut told: Vec<_> = considered
            .into_inner()
            .into_iter()
            .filter_map(told)
            .collect();
        if self.order == RouteOrder::Document {
            told.sort_by_key(|considered| considered.route);
        }
        (found, told)
    }
}
