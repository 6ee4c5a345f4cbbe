//! What happens before a request: connections turned away, handshakes, and whether the certificate's files can be used.

use std::io;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The counts of all listeners of a manager. A clone is another handle to the same ones.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    refused: Counter,
    handshakes: Family<KindLabel, Counter>,
    handshakes_failed: Family<ReasonLabel, Counter>,
    certificate_reloads: Family<ResultLabel, Counter>,
    certificate_unusable: Gauge<i64, AtomicI64>,
    certificate_fault: Mutex<Option<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

impl Connections {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let inner = &self.inner;
        registry.register(
            "connections_refused",
            "Connections closed at once because there were too many",
            inner.refused.clone(),
        );
        registry.register(
            "tls_handshakes",
            "TLS handshakes completed, in full or resumed",
            inner.handshakes.clone(),
        );
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that failed, by reason",
            inner.handshakes_failed.clone(),
        );
        registry.register(
            "tls_certificate_reloads",
            "Changed certificate files, taken over (ok) or not (failed)",
            inner.certificate_reloads.clone(),
        );
        registry.register(
            "tls_certificate_unusable",
            "1 while the certificate files cannot be used and the ones before are still served",
            inner.certificate_unusable.clone(),
        );
    }

    /// Counts a connection that was turned away; says how many there were.
    pub(crate) fn refuse(&self) -> u64 {
        self.inner.refused.inc() + 1
    }

    #[cfg(test)]
    pub(crate) fn refused(&self) -> u64 {
        self.inner.refused.get()
    }

    pub(crate) fn shook_hands(&self, is_resumed: bool) {
        let kind = if is_resumed { "resumed" } else { "full" };
        self.inner
            .handshakes
            .get_or_create(&KindLabel { kind })
            .inc();
    }

    pub(crate) fn handshake_failed(&self, error: &io::Error) {
        let reason = reason(error);
        self.inner
            .handshakes_failed
            .get_or_create(&ReasonLabel { reason })
            .inc();
    }

    /// The changed files are in use, or why not. Says whether that is news: a fault is looked at again and again.
    pub(crate) fn certificate_reloaded(&self, fault: Option<String>) -> bool {
        let result = if fault.is_none() { "ok" } else { "failed" };
        let mut known = self.fault();
        let is_news = fault.is_none() || *known != fault;
        if is_news {
            self.inner
                .certificate_reloads
                .get_or_create(&ResultLabel { result })
                .inc();
        }
        self.inner
            .certificate_unusable
            .set(i64::from(fault.is_some()));
        *known = fault;
        is_news
    }

    /// Why the certificate's files cannot be used, while the ones before are still served.
    #[must_use]
    pub fn certificate_fault(&self) -> Option<String> {
        self.fault().clone()
    }

    fn fault(&self) -> MutexGuard<'_, Option<String>> {
        // A text is there or not: nothing can be half done.
        self.inner
            .certificate_fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a handshake failed, as a stable word.
fn reason(error: &io::Error) -> &'static str {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            "client-certificate"
        }
        Some(rustls::Error::PeerIncompatible(_)) => "incompatible",
        // Most often a client that does not trust our certificate.
        Some(rustls::Error::AlertReceived(_)) => "refused-by-client",
        Some(rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. }) => {
            "not-tls"
        }
        Some(_) => "protocol",
        None if error.kind() == io::ErrorKind::TimedOut => "timeout",
        None => "hung-up",
    }
}
