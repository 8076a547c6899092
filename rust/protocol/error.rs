//! Why a head or a body was refused: one variant per reason, so that tests and logs can name it.

use std::fmt;

use crate::error::ErrorKind;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$row_doc:meta])* $variant:ident = $slug:literal => $kind:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$row_doc])* $variant,)*
        }

        impl $name {
            /// A stable word for logs.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)* }
            }

            /// What the client is told, where the client is to blame.
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$variant => ErrorKind::$kind,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.slug())
            }
        }

        impl std::error::Error for $name {}
    };
}

reasons! {
    /// Why a head was refused; in a response every reason is `UpstreamProtocol` to the caller.
    HeadError {
        /// A line ends in LF alone.
        BareLf = "bare_lf" => BadRequest,
        /// More empty lines before the head than are ignored.
        EmptyLines = "empty_lines" => BadRequest,
        /// The bytes don't end with the head.
        Incomplete = "incomplete" => BadRequest,
        /// The request or status line has no such form.
        StartLine = "start_line" => BadRequest,
        /// Neither HTTP/1.0 nor HTTP/1.1.
        Version = "version" => BadRequest,
        /// A method longer than any that exists.
        MethodTooLong = "method_too_long" => NotImplemented,
        /// The target is longer than allowed.
        TargetTooLong = "target_too_long" => TargetTooLong,
        /// The target has none of the four forms, or one that the method doesn't allow.
        Target = "target" => BadRequest,
        /// The target has a fragment.
        Fragment = "fragment" => BadRequest,
        /// `%00` in the path.
        PathNul = "path_nul" => BadRequest,
        /// `%` without two hexadecimal digits in a path that is to be normalised.
        PathEscape = "path_escape" => BadRequest,
        /// More bytes than allowed.
        TooManyBytes = "too_many_bytes" => HeadTooLarge,
        /// More fields than allowed.
        TooManyFields = "too_many_fields" => HeadTooLarge,
        /// A name with other bytes than a token's, no colon, a blank before it, or a folded line.
        FieldName = "field_name" => BadRequest,
        /// A control byte in a value.
        FieldValue = "field_value" => BadRequest,
        /// A name with an underscore.
        Underscore = "underscore" => BadRequest,
        /// HTTP/1.1 without Host.
        HostMissing = "host_missing" => BadRequest,
        /// More than one Host.
        HostRepeated = "host_repeated" => BadRequest,
        /// A Host or authority that is no host and port.
        Host = "host" => BadRequest,
        /// Content-Length beside Transfer-Encoding.
        LengthAndCoding = "length_and_coding" => BadRequest,
        /// More than one Content-Length.
        LengthRepeated = "length_repeated" => BadRequest,
        /// A Content-Length that isn't a number below 2^64.
        Length = "length" => BadRequest,
        /// More than one Transfer-Encoding.
        CodingRepeated = "coding_repeated" => BadRequest,
        /// A Transfer-Encoding that isn't well-formed, or `chunked` not last or not alone.
        Coding = "coding" => BadRequest,
        /// A well-formed transfer coding that we don't know.
        CodingUnknown = "coding_unknown" => NotImplemented,
        /// Transfer-Encoding in HTTP/1.0.
        CodingInHttp10 = "coding_in_http10" => BadRequest,
        /// CONNECT for another protocol than WebSocket (RFC 8441).
        Protocol = "protocol" => NotImplemented,
        /// CONNECT with a body.
        ConnectBody = "connect_body" => BadRequest,
        /// An expectation other than `100-continue`.
        Expectation = "expectation" => ExpectationFailed,
        /// Connection names more fields than anyone needs.
        TooManyOptions = "too_many_connection_options" => BadRequest,
    }
}

reasons! {
    /// Why a body was refused; `UpstreamProtocol` where the upstream is to blame.
    BodyError {
        /// A chunk size that isn't 1 to 16 hexadecimal digits.
        ChunkSize = "chunk_size" => BadRequest,
        /// A control byte or an open quotation in a chunk extension.
        ChunkExtension = "chunk_extension" => BadRequest,
        /// More bytes of extensions than allowed.
        ExtensionsTooLong = "chunk_extensions_too_long" => BadRequest,
        /// Chunk data doesn't end where its size says.
        ChunkEnd = "chunk_end" => BadRequest,
        /// The sum of all chunks doesn't fit a number.
        TooLong = "body_too_long" => BodyTooLarge,
        /// A trailer that isn't a field line.
        Trailer = "trailer" => BadRequest,
        /// More bytes of trailers than allowed.
        TrailersTooLong = "trailers_too_long" => HeadTooLarge,
        /// The text of gRPC-Web isn't base64.
        Base64 = "base64" => BadRequest,
        /// Something else than the beginning of a gRPC message.
        Message = "grpc_message" => BadRequest,
    }
}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => Self::FieldName,
            httparse::Error::HeaderValue => Self::FieldValue,
            httparse::Error::TooManyHeaders => Self::TooManyFields,
            httparse::Error::Version => Self::Version,
            httparse::Error::NewLine | httparse::Error::Status | httparse::Error::Token => {
                Self::StartLine
            }
        }
    }
}
