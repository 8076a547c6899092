//! Which of a route's requests its fault concerns.

use super::Noted;
use super::RequestView;
use super::condition::TextMatch;
use super::rules::Rules;
use crate::policy::fault::Fault;
use crate::wire::route;

/// A fault and the fields that requests must have to meet it.
#[derive(Debug)]
pub struct RouteFault {
    fields: Box<[(Box<str>, TextMatch)]>,
    fault: Fault,
}

impl RouteFault {
    /// Compiles the fault of the route at `at`; none where it has none.
    pub(super) fn compile(
        route: &route::Route,
        at: &str,
        rules: &mut Rules<'_>,
    ) -> Result<Option<Box<Self>>, Noted> {
        let Some(wire) = &route.fault else {
            return Ok(None);
        };
        let at = format!("{at}.fault");
        let fields = rules.fields(&wire.headers, &format!("{at}.headers"));
        let fault = Fault::compile(wire, &at, rules.problems);
        let (fields, fault) = fields.zip(fault).ok_or(Noted)?;
        Ok(Some(Box::new(Self { fields, fault })))
    }

    /// The fault, where it concerns this request.
    pub fn of(&self, view: &RequestView<'_>) -> Option<&Fault> {
        let concerned = self
            .fields
            .iter()
            .all(|(name, condition)| condition.holds(view.values(name)));
        concerned.then_some(&self.fault)
    }
}
