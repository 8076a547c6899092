//! A check by bytes: a connection is made, and an answer awaited where one is expected.

use std::future::poll_fn;

use super::line::{Spoken, connect};
use super::probe::Failure;
use super::subject::Target;
use crate::pool::write_all;
use crate::wire::HealthCheck;
use crate::wire::health_check::Payload;

/// Connects, sends and compares as the check says.
pub(super) async fn ask(target: &Target, check: &HealthCheck) -> Result<(), Failure> {
    let io = connect(target, check, Spoken::Http1).await?;
    let written = check.tcp.as_ref();
    let bytes = |of: Option<&Payload>| of.and_then(Payload::bytes).unwrap_or_default();
    let send = bytes(written.and_then(|tcp| tcp.send.as_ref()));
    let expected = bytes(written.and_then(|tcp| tcp.receive.as_ref()));
    write_all(&io, &send)
        .await
        .map_err(|error| format!("nothing could be sent: {error}"))?;
    let mut rest = &*expected;
    let mut buffer = vec![0; expected.len()];
    while !rest.is_empty() {
        let room = buffer.get_mut(..rest.len()).unwrap_or_default();
        let read = poll_fn(|cx| io.poll_read(cx, room)).await;
        let n = read.map_err(|error| format!("the answer broke off: {error}"))?;
        let (came, wanted) = (buffer.get(..n), rest.get(..n));
        if n == 0 {
            return Err("the connection ended before the answer".to_owned());
        }
        if came != wanted {
            return Err("another answer than expected".to_owned());
        }
        rest = rest.get(n..).unwrap_or_default();
    }
    Ok(())
}
