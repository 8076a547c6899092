//! The backend's TCP protocol: a line `P <size>`, answered with that many bytes of the pattern.

use crate::http::{Answer, Exchange};
use crate::stream::Stream;
use crate::tally::{Failure, Kind};

/// Asks for `size` bytes and reads them all.
pub(crate) async fn pull(
    exchange: &mut Exchange,
    stream: &mut Stream,
    size: u64,
) -> Result<Answer, Failure> {
    let broken = |error: std::io::Error| Failure::new(Kind::Reset, error);
    let line = format!("P {size}\n");
    stream.send(line.as_bytes()).await.map_err(broken)?;
    let mut length = 0;
    while length < size {
        let count = exchange.take_raw(stream, length).await?;
        if count == 0 {
            let kind = if length == 0 { Kind::Stale } else { Kind::Eof };
            return Err(Failure::new(kind, format!("{length} of {size} bytes came")));
        }
        length += count as u64;
    }
    if length > size {
        return Err(Failure::new(
            Kind::Body,
            format!("{length} bytes instead of {size}"),
        ));
    }
    Ok(Answer {
        bytes: length,
        reusable: true,
        backend: None,
    })
}
