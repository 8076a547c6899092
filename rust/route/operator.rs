//! The operators of values: which there are, and what a request's head tells of them.

use super::RequestView;
use super::condition::parameter;
use super::rules::is_token;
use super::template::TemplateError;

const KNOWN: &str = "known are %REQ(name)%, %QUERY_PARAM(name)%, %PROTOCOL%, %START_TIME%, \
    %HOSTNAME%, %ROUTE_NAME%, %UPSTREAM_CLUSTER%, %DOWNSTREAM_REMOTE_ADDRESS%, \
    %DOWNSTREAM_LOCAL_ADDRESS%, both also _WITHOUT_PORT, %DOWNSTREAM_REMOTE_PORT%, \
    %DOWNSTREAM_LOCAL_PORT%, %DOWNSTREAM_PEER_URI_SAN%, %REQUESTED_SERVER_NAME%; of a response \
    also %RESP(name)%, %RESPONSE_CODE%, %RESPONSE_CODE_DETAILS%, %RESPONSE_FLAGS%, %UPSTREAM_HOST%";

/// What a part of a value stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// `REQ`: a field of the request, or `:method`, `:path`, `:authority`, `:scheme`.
    Request(FieldOperator),
    /// `RESP`: a field of the response.
    Response(FieldOperator),
    /// `QUERY_PARAM`: a query parameter, not decoded.
    Parameter(FieldOperator),
    /// `START_TIME`.
    StartTime(TimeFormat),
    /// Something else.
    Fact(Fact),
}

/// Names of which the first that is there counts, and the bytes taken of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOperator {
    /// In lower case.
    pub names: Box<[Box<str>]>,
    /// `usize::MAX` for all.
    pub limit: usize,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-04-15T20:17:00.310Z`
    Iso,
    /// `%s`: seconds since 1970.
    Seconds,
    /// `%s%3f`: milliseconds since 1970.
    Milliseconds,
    /// `%s.%3f`
    SecondsAndMilliseconds,
}

macro_rules! facts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What an operator without arguments stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fact {
            $($(#[$doc])* $variant,)*
        }

        impl Fact {
            fn of(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

facts! {
    /// The client's address and port.
    RemoteAddress = "DOWNSTREAM_REMOTE_ADDRESS",
    /// The client's address.
    RemoteIp = "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    /// The client's port.
    RemotePort = "DOWNSTREAM_REMOTE_PORT",
    /// The address and port that the client reached.
    LocalAddress = "DOWNSTREAM_LOCAL_ADDRESS",
    /// The address that the client reached.
    LocalIp = "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    /// The port that the client reached.
    LocalPort = "DOWNSTREAM_LOCAL_PORT",
    /// The client's version of HTTP.
    Protocol = "PROTOCOL",
    /// This machine's name.
    Hostname = "HOSTNAME",
    /// What the client's certificate proved.
    Identity = "DOWNSTREAM_PEER_URI_SAN",
    /// What the client's TLS hello asked for.
    ServerName = "REQUESTED_SERVER_NAME",
    /// The route's name.
    RouteName = "ROUTE_NAME",
    /// The cluster's name.
    Cluster = "UPSTREAM_CLUSTER",
    /// The endpoint's address.
    Endpoint = "UPSTREAM_HOST",
    /// The response's status.
    Status = "RESPONSE_CODE",
    /// Where it comes from.
    Details = "RESPONSE_CODE_DETAILS",
    /// Envoy's letters for what went wrong.
    Flags = "RESPONSE_FLAGS",
}

impl Operator {
    /// Whether only a response can tell.
    pub const fn is_of_response(&self) -> bool {
        match self {
            Self::Response(_) => true,
            Self::Fact(fact) => matches!(
                fact,
                Fact::Endpoint | Fact::Status | Fact::Details | Fact::Flags
            ),
            Self::Request(_) | Self::Parameter(_) | Self::StartTime(_) => false,
        }
    }

    /// Whether what is told while a request is being decided about may be too early for its
    /// response: the cluster comes last.
    pub(super) const fn is_late(&self) -> bool {
        self.is_of_response() || matches!(self, Self::Fact(Fact::Cluster))
    }
}

impl FieldOperator {
    /// Appends what of `value` is taken.
    fn put(&self, value: &[u8], out: &mut Vec<u8>) {
        let length = value.len().min(self.limit);
        out.extend_from_slice(value.get(..length).unwrap_or(value));
    }

    /// Appends the first value that `find` knows for one of the names.
    pub fn put_first<'v>(&self, mut find: impl FnMut(&str) -> Option<&'v [u8]>, out: &mut Vec<u8>) {
        if let Some(value) = self.names.iter().find_map(|name| find(name)) {
            self.put(value, out);
        }
    }
}

/// Appends what an operator stands for as far as the head tells; `false` for the others.
pub fn tell_of_request(operator: &Operator, view: &RequestView<'_>, out: &mut Vec<u8>) -> bool {
    match operator {
        Operator::Request(wanted) => {
            // The whole target is two parts of the view.
            if wanted.names.first().is_some_and(|name| **name == *":path") {
                let mut target = view.path.as_bytes().to_vec();
                if let Some(query) = view.query {
                    target.push(b'?');
                    target.extend_from_slice(query.as_bytes());
                }
                wanted.put(&target, out);
            } else {
                wanted.put_first(|name| view.value(name), out);
            }
            true
        }
        Operator::Parameter(wanted) => {
            wanted.put_first(|name| parameter(view.query, name), out);
            true
        }
        Operator::Response(_) | Operator::StartTime(_) | Operator::Fact(_) => false,
    }
}

/// The operator that `text` begins with, behind its `%`, and what follows its closing `%`.
pub(super) fn read(text: &str) -> Result<(Operator, &str), TemplateError> {
    let unfinished = || {
        let message = format!("`%{text}` is no operator: it has no end");
        TemplateError::new(message, "a percent sign is written `%%`")
    };
    let end = text
        .find(|it: char| !it.is_ascii_alphanumeric() && it != '_')
        .ok_or_else(unfinished)?;
    let (name, rest) = text.split_at(end);
    let (argument, rest) = match rest.strip_prefix('(') {
        Some(inner) => {
            let (argument, rest) = inner.split_once(')').ok_or_else(unfinished)?;
            (Some(argument), rest)
        }
        None => (None, rest),
    };
    let (limit, rest) = rest.split_once('%').ok_or_else(unfinished)?;
    let limit = match limit.strip_prefix(':').map(str::parse::<usize>) {
        Some(Ok(limit)) if limit > 0 => limit,
        None if limit.is_empty() => usize::MAX,
        _ => {
            let message = format!("`{limit}` is no length, in `%{text}`");
            let hint = "write for example `%REQ(name):16%`; a percent sign is written `%%`";
            return Err(TemplateError::new(message, hint));
        }
    };
    Ok((named(name, argument, limit)?, rest))
}

fn named(name: &str, argument: Option<&str>, limit: usize) -> Result<Operator, TemplateError> {
    let unknown = || {
        let message = format!("there is no operator `%{name}%`");
        TemplateError::new(message, KNOWN)
    };
    match (name, argument) {
        ("REQ", Some(names)) => Ok(Operator::Request(fields(names, limit)?)),
        ("RESP", Some(names)) => Ok(Operator::Response(fields(names, limit)?)),
        ("QUERY_PARAM", Some(name)) if !name.is_empty() => {
            let names = Box::from([Box::from(name)]);
            Ok(Operator::Parameter(FieldOperator { names, limit }))
        }
        ("START_TIME", format) if limit == usize::MAX => {
            time_format(format).map(Operator::StartTime)
        }
        (name, None) if limit == usize::MAX => {
            Fact::of(name).map(Operator::Fact).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

fn fields(names: &str, limit: usize) -> Result<FieldOperator, TemplateError> {
    const PSEUDO: [&str; 4] = [":method", ":path", ":authority", ":scheme"];
    let names: Box<[Box<str>]> = names
        .split('?')
        .map(|name| name.to_ascii_lowercase().into())
        .collect();
    let sound = |name: &str| is_token(name) || PSEUDO.contains(&name);
    if names.len() > 2 || !names.iter().all(|name| sound(name)) {
        let message = format!("`{}` is no header name", names.join("?"));
        let hint = "write `%REQ(name)%`, or `%REQ(name?other)%` for the first that is there";
        return Err(TemplateError::new(message, hint));
    }
    Ok(FieldOperator { names, limit })
}

fn time_format(format: Option<&str>) -> Result<TimeFormat, TemplateError> {
    match format {
        None => Ok(TimeFormat::Iso),
        Some("%s") => Ok(TimeFormat::Seconds),
        Some("%s%3f") => Ok(TimeFormat::Milliseconds),
        Some("%s.%3f") => Ok(TimeFormat::SecondsAndMilliseconds),
        Some(other) => Err(TemplateError::new(
            format!("there is no time format `{other}`"),
            "write %START_TIME%, or it with (%s), (%s%3f) or (%s.%3f)",
        )),
    }
}
