//! Hooks of a request's listener and route: who is called when, and what came of it.
//!
//! Filters are called where the request is. For a function the request waits: its head is kept, and
//! when the answer is there it is decided about once more, from the next hook on.

mod answer;
mod body;
mod call;
mod choice;
mod end;
mod head;
mod names;
mod question;
mod run;
mod seen;
mod settle;

pub(in crate::proxy) use call::about_connection;

pub(super) use answer::{Answered, about_answer};
pub(super) use body::Hooked;
pub(super) use call::edit;
pub(super) use end::about_end;
pub(super) use names::Names;
pub(super) use run::{Asked, Run, Uses, see_more};
pub(super) use settle::{settle, too_long};
