//! The ERP interface: one WSDL, SOAP 1.1 and 1.2, document/literal wrapped.
//!
//! | module | what it holds |
//! |---|---|
//! | [`schema`], [`wsdl`] | what the WSDL shows, as lists, and the WSDL made of them |
//! | [`operations`] | the operations, one file each |
//! | [`envelope`], [`security`], [`parameters`] | a request's envelope, who asks, and what for |
//! | [`fault`] | what went wrong, in the form of either SOAP |
//! | [`xml`], [`out`] | XML in (bounded, no DTD) and out (escaped) |
//!
//! What always holds:
//!
//! - The body's element says what is asked; SOAPAction is only logged. The envelope's namespace says which SOAP it is.
//! - Every question carries the scope of the account that asks (Rule 9). Only the WSDL is for everybody.
//! - Lists follow the store's total order (Rule 2): pulling with the cursor of the answer before gives everything, what comes
//!   in late too, and the same question with the same cursor gives the same stable ids.

mod envelope;
mod fault;
mod operations;
mod out;
mod parameters;
mod schema;
mod security;
mod wsdl;
mod xml;

use std::net::IpAddr;
use std::sync::Arc;

use codec::time::Timestamp;
use olap::Store;
use registry::{Account, Registry};

use envelope::{Addressing, Version};
use fault::{Code, Fault};
use operations::Call;
use out::Out;

/// The largest request that is looked at, in bytes: a question is a few hundred. Whoever reads it off the network stops there.
pub const REQUEST_BYTES_MAX: usize = 262_144;
/// What WS-Addressing calls a fault.
const FAULT_ACTION: &str = "http://www.w3.org/2005/08/addressing/fault";
/// Room that most answers need, in bytes.
const ANSWER_BYTES_USUAL: usize = 64 * 1024;

/// The SOAP service. No HTTP inside: the web mounts it. A clone is another handle to the same one.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    store: Arc<dyn Store>,
    wsdl: String,
}

/// A request, as it came by HTTP POST.
#[derive(Clone, Debug)]
pub struct SoapRequest<'a> {
    /// The header of that name.
    pub content_type: Option<&'a str>,
    /// The header of that name; only logged, since the body says what is asked.
    pub soap_action: Option<&'a str>,
    /// The body, unpacked.
    pub body: &'a [u8],
    /// Whom HTTP Basic or an API token showed to be asking; without, the message must carry a UsernameToken.
    pub account: Option<Account>,
    /// Where the request came from: passwords are throttled by it.
    pub address: IpAddr,
    /// The time of the request.
    pub now: Timestamp,
}

/// An answer, to be sent by HTTP with a Content-Length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoapResponse {
    /// 200; 400 or 500 for faults as the SOAP version wants it; 401 to be sent with `WWW-Authenticate: Basic`; 503.
    pub status: u16,
    /// The header of that name.
    pub content_type: &'static str,
    /// The header Retry-After, in seconds.
    pub retry_after_s: Option<u64>,
    /// The envelope.
    pub body: Vec<u8>,
}

impl Service {
    /// A service whose WSDL names `public_url` (such as `https://manager.example:8443`, without a path) as its address.
    #[must_use]
    pub fn new(registry: Registry, store: Arc<dyn Store>, public_url: &str) -> Self {
        Self {
            inner: Arc::new(Inner {
                registry,
                store,
                wsdl: wsdl::wsdl(public_url),
            }),
        }
    }

    /// The WSDL: UTF-8, one file without imports, to be served as `text/xml; charset=utf-8`, readable without a login.
    #[must_use]
    pub fn wsdl(&self) -> &str {
        &self.inner.wsdl
    }

    /// Answers a request. It blocks for as long as its question to the store takes: async callers use `spawn_blocking`.
    #[must_use]
    pub fn handle(&self, request: &SoapRequest<'_>) -> SoapResponse {
        let version = Version::of_content_type(request.content_type);
        if request.body.len() > REQUEST_BYTES_MAX {
            let text = format!("the request has more than {REQUEST_BYTES_MAX} bytes");
            return refuse(version, None, &Fault::new(Code::MalformedRequest, text));
        }
        let envelope = match envelope::read(request.content_type, request.body) {
            Ok(envelope) => envelope,
            Err((version, fault)) => return refuse(version, None, &fault),
        };
        let (version, addressing) = (envelope.version, envelope.addressing);
        let mut out = Out::with_capacity(ANSWER_BYTES_USUAL);
        let answered = operations::find(&envelope.operation).and_then(|operation| {
            let account = self.authenticate(request, envelope.security.as_ref())?;
            tracing::debug!(
                operation = operation.name,
                login = account.login,
                soap_action = request.soap_action,
                "SOAP"
            );
            let action = format!("{}Response", wsdl::action(operation.name));
            envelope::begin(version, addressing.as_ref(), &action, &mut out);
            let call = Call::new(self, request, &account, operation, envelope.operation)?;
            operations::answer(&call, operation, &mut out)
        });
        match answered {
            Ok(()) => {
                envelope::end(&mut out);
                SoapResponse {
                    status: 200,
                    content_type: version.content_type(),
                    retry_after_s: None,
                    body: out.into_bytes(),
                }
            }
            Err(fault) => refuse(version, addressing.as_ref(), &fault),
        }
    }
}

/// Reads a request's envelope and forgets it: what a fuzzer calls.
#[cfg(fuzzing)]
pub fn read_envelope(body: &[u8]) {
    let _ = envelope::read(None, body);
}

fn refuse(version: Version, addressing: Option<&Addressing>, fault: &Fault) -> SoapResponse {
    let mut out = Out::default();
    envelope::begin(version, addressing, FAULT_ACTION, &mut out);
    fault.write(version, &mut out);
    envelope::end(&mut out);
    SoapResponse {
        status: fault.status(version),
        content_type: version.content_type(),
        retry_after_s: fault.retry_after_s(),
        body: out.into_bytes(),
    }
}
