//! The envelope: which SOAP it is, what its headers say, and what stands in its body.
//!
//! Understood headers are `wsse:Security` and everything of WS-Addressing; any other is passed over, unless it insists on
//! being understood, as SOAP has it.

use crate::fault::{Code, Fault};
use crate::out::Out;
use crate::xml::{Element, read_document};

/// The envelope's namespace in SOAP 1.1.
const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The envelope's namespace in SOAP 1.2.
const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// The role or actor of SOAP 1.1 that means everybody on the way.
const ACTOR_NEXT: &str = "http://schemas.xmlsoap.org/soap/actor/next";
/// The roles of SOAP 1.2 that mean us.
const ROLES_OURS: [&str; 2] = [
    "http://www.w3.org/2003/05/soap-envelope/role/next",
    "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
];
/// WS-Security 1.0 and 1.1, where `Security` and `UsernameToken` are.
pub(crate) const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// WS-Addressing: the recommendation, and the submission that older clients speak.
const ADDRESSING: [&str; 2] = [
    "http://www.w3.org/2005/08/addressing",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing",
];
/// The longest message id that is repeated in an answer, in bytes.
const MESSAGE_ID_BYTES_MAX: usize = 1_024;

/// Which SOAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// SOAP 1.1.
    Soap11,
    /// SOAP 1.2.
    Soap12,
}

impl Version {
    /// The version that a Content-Type speaks of, for requests whose envelope cannot be read.
    pub(crate) fn of_content_type(content_type: Option<&str>) -> Self {
        let kind = content_type.unwrap_or_default().trim_start();
        let is_12 = kind
            .get(..20)
            .is_some_and(|kind| kind.eq_ignore_ascii_case("application/soap+xml"));
        if is_12 { Self::Soap12 } else { Self::Soap11 }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Soap11 => "text/xml; charset=utf-8",
            Self::Soap12 => "application/soap+xml; charset=utf-8",
        }
    }

    const fn namespace(self) -> &'static str {
        match self {
            Self::Soap11 => SOAP_11,
            Self::Soap12 => SOAP_12,
        }
    }
}

/// The WS-Addressing header of a request that wants one in its answer.
#[derive(Debug)]
pub(crate) struct Addressing {
    namespace: &'static str,
    message_id: String,
}

/// A request's envelope.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// Which SOAP.
    pub version: Version,
    /// `wsse:Security`, if any.
    pub security: Option<Element>,
    /// What the answer refers to, if the request was addressed.
    pub addressing: Option<Addressing>,
    /// The element in the body.
    pub operation: Element,
}

/// Reads an envelope. A fault comes with the version to answer in.
pub(crate) fn read(content_type: Option<&str>, body: &[u8]) -> Result<Envelope, (Version, Fault)> {
    let said = Version::of_content_type(content_type);
    let malformed = |version, text: &str| (version, Fault::new(Code::MalformedRequest, text));
    let root = read_document(body).map_err(|error| malformed(said, &error.0))?;
    if root.name != "Envelope" {
        return Err(malformed(
            said,
            &format!(
                "the request's outermost element is {:?}, not an Envelope",
                root.name
            ),
        ));
    }
    let version = match root.namespace.as_str() {
        SOAP_11 => Version::Soap11,
        SOAP_12 => Version::Soap12,
        other => {
            let text = format!(
                "the envelope's namespace is {other:?}: use that of SOAP 1.1 ({SOAP_11}) or SOAP 1.2 ({SOAP_12})"
            );
            return Err((Version::Soap11, Fault::new(Code::VersionMismatch, text)));
        }
    };
    let soap = version.namespace();
    let mut header = None;
    let mut content = None;
    for child in root.children {
        if child.is(soap, "Header") && header.is_none() && content.is_none() {
            header = Some(child);
        } else if child.is(soap, "Body") && content.is_none() {
            content = Some(child);
        } else if content.is_none() || child.namespace == soap {
            return Err(malformed(
                version,
                &format!("the envelope has an unexpected element {:?}", child.name),
            ));
        }
    }
    let (security, addressing) = match header {
        Some(header) => read_headers(version, header).map_err(|fault| (version, fault))?,
        None => (None, None),
    };
    let content = content.ok_or_else(|| malformed(version, "the envelope has no Body"))?;
    // What SOAP encoding and multi-references would put beside it is not looked at.
    let operation = content.children.into_iter().next().ok_or_else(|| {
        malformed(
            version,
            "the envelope's Body is empty: it holds the operation's element",
        )
    })?;
    Ok(Envelope {
        version,
        security,
        addressing,
        operation,
    })
}

type Headers = (Option<Element>, Option<Addressing>);

fn read_headers(version: Version, header: Element) -> Result<Headers, Fault> {
    let mut security = None;
    let mut addressing = None;
    for block in header.children {
        if block.is(WSSE, "Security") {
            security.get_or_insert(block);
        } else if let Some(namespace) = ADDRESSING
            .into_iter()
            .find(|namespace| *namespace == block.namespace)
        {
            let message_id = block.text.trim();
            if block.name == "MessageID" && (1..=MESSAGE_ID_BYTES_MAX).contains(&message_id.len()) {
                addressing = Some(Addressing {
                    namespace,
                    message_id: message_id.to_owned(),
                });
            }
        } else if insists(version, &block) {
            return Err(Fault::new(
                Code::MustUnderstand,
                format!(
                    "the header {:?} of {:?} is not known here, and it insists on being understood",
                    block.name, block.namespace
                ),
            ));
        }
    }
    Ok((security, addressing))
}

/// Whether a header is for us and must be understood.
fn insists(version: Version, block: &Element) -> bool {
    let soap = version.namespace();
    let must = matches!(
        block.attribute(soap, "mustUnderstand").map(str::trim),
        Some("1" | "true")
    );
    let ours = match version {
        Version::Soap11 => block
            .attribute(soap, "actor")
            .is_none_or(|actor| actor.is_empty() || actor == ACTOR_NEXT),
        Version::Soap12 => block
            .attribute(soap, "role")
            .is_none_or(|role| role.is_empty() || ROLES_OURS.contains(&role)),
    };
    must && ours
}

/// Writes what stands before the content of the body; `action` is what WS-Addressing calls the answer.
pub(crate) fn begin(
    version: Version,
    addressing: Option<&Addressing>,
    action: &str,
    out: &mut Out,
) {
    out.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope xmlns:soap=\"");
    out.raw(version.namespace());
    out.raw("\">");
    if let Some(addressing) = addressing {
        out.raw("<soap:Header xmlns:wsa=\"");
        out.raw(addressing.namespace);
        out.raw("\">");
        out.field("wsa:Action", action);
        out.field("wsa:RelatesTo", addressing.message_id.as_str());
        out.raw("</soap:Header>");
    }
    out.raw("<soap:Body>");
}

/// Writes what stands after it.
pub(crate) fn end(out: &mut Out) {
    out.raw("</soap:Body></soap:Envelope>");
}

#[cfg(test)]
mod tests;
