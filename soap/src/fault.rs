//! Faults: what went wrong, in the form of the SOAP version that was asked in.
//!
//! A fault has a code for programs, a sentence for people, and says by its kind whether the same request can ever succeed.

use olap::StoreError;

use crate::envelope::Version;
use crate::out::Out;
use crate::schema::NAMESPACE;

/// When a busy store is worth another try: a question takes a fraction of this.
const STORE_RETRY_AFTER_S: u64 = 5;

/// Every code, with what it means: the list the WSDL shows.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $side:ident, $text:literal;)+) => {
        /// A fault's code. Codes never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $($variant,)+
        }

        impl Code {
            /// Word and meaning of every code.
            pub(crate) const ALL: &'static [(&'static str, &'static str)] = &[$(($word, $text),)+];

            const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            const fn side(self) -> Side {
                match self { $(Self::$variant => Side::$side,)+ }
            }
        }
    };
}

/// Who must do something.
#[derive(Clone, Copy)]
enum Side {
    Sender,
    Receiver,
    VersionMismatch,
    MustUnderstand,
}

codes! {
    MalformedRequest = "malformedRequest", Sender, "the request is no SOAP message that can be read";
    VersionMismatch = "versionMismatch", VersionMismatch, "the envelope is neither of SOAP 1.1 nor of SOAP 1.2";
    MustUnderstand = "mustUnderstand", MustUnderstand, "a header that must be understood is not";
    NotAuthenticated = "notAuthenticated", Sender, "login or password is missing or wrong";
    Throttled = "throttled", Receiver, "too many attempts with a wrong password: wait";
    UnknownOperation = "unknownOperation", Sender, "the body's element is none of this service's operations";
    InvalidParameter = "invalidParameter", Sender, "a parameter is missing, unknown or has an impossible value";
    InvalidCursor = "invalidCursor", Sender, "the cursor is not one that this list gave out";
    NotAllowed = "notAllowed", Sender, "the login may look but not change";
    NotFound = "notFound", Sender, "there is nothing of that id, or the login may not see it";
    Busy = "busy", Receiver, "the store is busy: try again later";
    InternalError = "internalError", Receiver, "the service failed: its log says why";
}

/// A fault.
#[derive(Debug)]
pub(crate) struct Fault {
    code: Code,
    text: String,
    retry_after_s: Option<u64>,
}

impl Fault {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            retry_after_s: None,
        }
    }

    /// What only our log may say: the sentence tells nothing of it.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            causes = format!("{causes}: {cause}");
            source = cause.source();
        }
        tracing::error!(error = causes, "a SOAP request failed");
        Self::new(Code::InternalError, "the service failed; its log says why")
    }

    /// What the registry did not do.
    pub(crate) fn of_registry(error: &registry::Error) -> Self {
        match error {
            registry::Error::NotFound { .. } => Self::new(Code::NotFound, error.to_string()),
            error if error.is_callers_fault() => {
                Self::new(Code::InvalidParameter, error.to_string())
            }
            error => Self::internal(error),
        }
    }

    /// What the store could not do.
    pub(crate) fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::Cursor(cursor) => Self::new(Code::InvalidCursor, cursor.to_string()),
            error if error.is_transient() => {
                Self::new(Code::Busy, "the store is busy").with_retry_after(STORE_RETRY_AFTER_S)
            }
            error => Self::internal(error),
        }
    }

    pub(crate) fn with_retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..self
        }
    }

    pub(crate) const fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_s
    }

    /// The HTTP status: 500 for every fault of SOAP 1.1 and 400 for the sender's of SOAP 1.2, as their HTTP bindings want it;
    /// 401 and 503 say the same at a level that clients and proxies act on.
    pub(crate) const fn status(&self, version: Version) -> u16 {
        match (self.code, self.code.side(), version) {
            (Code::NotAuthenticated, ..) => 401,
            (Code::Throttled | Code::Busy, ..) => 503,
            (_, Side::Sender, Version::Soap12) => 400,
            _ => 500,
        }
    }

    /// Writes what stands in the envelope's body, whose prefix is `soap`.
    pub(crate) fn write(&self, version: Version, out: &mut Out) {
        let detail = |out: &mut Out| {
            out.raw("<serviceFault xmlns=\"");
            out.raw(NAMESPACE);
            out.raw("\">");
            out.field("code", self.code.word());
            out.field("message", self.text.as_str());
            out.raw("</serviceFault>");
        };
        let side = match (self.code.side(), version) {
            (Side::Sender, Version::Soap11) => "soap:Client",
            (Side::Sender, Version::Soap12) => "soap:Sender",
            (Side::Receiver, Version::Soap11) => "soap:Server",
            (Side::Receiver, Version::Soap12) => "soap:Receiver",
            (Side::VersionMismatch, _) => "soap:VersionMismatch",
            (Side::MustUnderstand, _) => "soap:MustUnderstand",
        };
        out.element("soap:Fault", |out| match version {
            Version::Soap11 => {
                out.field("faultcode", side);
                out.field("faultstring", self.text.as_str());
                out.element("detail", detail);
            }
            Version::Soap12 => {
                out.element("soap:Code", |out| {
                    out.field("soap:Value", side);
                });
                out.element("soap:Reason", |out| {
                    out.raw("<soap:Text xml:lang=\"en\">");
                    out.text(&self.text);
                    out.raw("</soap:Text>");
                });
                out.element("soap:Detail", detail);
            }
        });
    }
}
