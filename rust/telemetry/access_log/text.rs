//! Envoy's default format string, field by field:
//! `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE%
//! %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%
//! "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%"
//! "%UPSTREAM_HOST%"`

use super::{Entry, escape};
use crate::telemetry::clock_text;

/// Appends the line with its end.
pub fn write_text(entry: &Entry<'_>, out: &mut Vec<u8>) {
    out.push(b'[');
    clock_text::write(entry.start_micros, out);
    out.extend_from_slice(b"] \"");
    field(entry.method, out);
    out.push(b' ');
    field(entry.path, out);
    out.push(b' ');
    field(entry.protocol.as_bytes(), out);
    out.extend_from_slice(b"\" ");
    number(u64::from(entry.status), out);
    out.push(b' ');
    field(entry.flags.as_bytes(), out);
    for value in [
        entry.bytes_received,
        entry.bytes_sent,
        entry.duration_us / 1_000,
    ] {
        out.push(b' ');
        number(value, out);
    }
    out.push(b' ');
    match entry.upstream_service_time_us {
        Some(us) => number(us / 1_000, out),
        None => out.push(b'-'),
    }
    for value in [
        entry.x_forwarded_for,
        entry.user_agent,
        entry.request_id,
        entry.authority,
        entry.upstream_host.as_bytes(),
    ] {
        out.extend_from_slice(b" \"");
        field(value, out);
        out.push(b'"');
    }
    out.push(b'\n');
}

fn field(value: &[u8], out: &mut Vec<u8>) {
    if value.is_empty() {
        out.push(b'-');
    } else {
        escape::text(value, out);
    }
}

fn number(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::write_text;
    use crate::telemetry::Entry;

    #[test]
    fn a_request_reads_as_envoy_writes_it() {
        let entry = Entry {
            start_micros: 1_460_751_420_310_000,
            method: b"POST",
            path: b"/api/v1/locations?x=1",
            protocol: "HTTP/2",
            status: 204,
            bytes_received: 154,
            duration_us: 226_900,
            upstream_service_time_us: Some(100_000),
            x_forwarded_for: b"10.0.35.28",
            user_agent: b"nsq2http",
            request_id: b"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2",
            authority: b"locations",
            upstream_host: "10.0.2.1:80",
            ..Entry::default()
        };
        let mut line = Vec::new();
        write_text(&entry, &mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "[2016-04-15T20:17:00.310Z] \"POST /api/v1/locations?x=1 HTTP/2\" 204 - 154 0 226 100 \
             \"10.0.35.28\" \"nsq2http\" \"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2\" \"locations\" \
             \"10.0.2.1:80\"\n"
        );
    }

    #[test]
    fn what_is_absent_is_a_dash() {
        let mut line = Vec::new();
        write_text(&Entry::default(), &mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "[1970-01-01T00:00:00.000Z] \"- - -\" 0 - 0 0 0 - \"-\" \"-\" \"-\" \"-\" \"-\"\n"
        );
    }

    #[test]
    fn a_peer_cannot_forge_a_line() {
        let entry = Entry {
            user_agent: b"x\"\n[2016-04-15T20:17:00.310Z] \"GET / HTTP/1.1\" 200",
            ..Entry::default()
        };
        let mut line = Vec::new();
        write_text(&entry, &mut line);
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(line.matches('"').count(), 12);
    }
}
