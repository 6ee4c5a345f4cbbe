//! Envelopes of both versions, odd but right ones, and wrong ones.

use super::*;

const BODY: &str = "<ListDevices xmlns='urn:platen:soap:v1'><max>5</max></ListDevices>";

fn operation(xml: &str) -> Element {
    read(None, xml.as_bytes()).unwrap().operation
}

fn fault(content_type: &str, xml: &str) -> (Version, String) {
    let (version, fault) = read(Some(content_type), xml.as_bytes()).unwrap_err();
    let mut out = Out::default();
    fault.write(version, &mut out);
    (version, String::from_utf8(out.into_bytes()).unwrap())
}

fn enveloped(soap: &str, header: &str) -> String {
    format!(
        "<e:Envelope xmlns:e='{soap}'><e:Header>{header}</e:Header><e:Body>{BODY}</e:Body></e:Envelope>"
    )
}

#[test]
fn the_envelopes_namespace_says_which_soap_it_is_whatever_the_content_type_says() {
    for (soap, version) in [(SOAP_11, Version::Soap11), (SOAP_12, Version::Soap12)] {
        let envelope = read(
            Some("application/octet-stream"),
            enveloped(soap, "").as_bytes(),
        )
        .unwrap();
        assert_eq!(envelope.version, version);
        assert!(envelope.operation.is("urn:platen:soap:v1", "ListDevices"));
    }
}

#[test]
fn odd_prefixes_comments_whitespace_and_cdata_change_nothing() {
    let xml = format!(
        "\u{feff}<?xml version='1.0' encoding='utf-8' standalone=\"yes\"?>\n<!-- hello -->\n<_.1:Envelope xmlns:_.1=\"{SOAP_11}\"\n xmlns:ü='urn:platen:soap:v1'>\
         \n <!-- a --> <_.1:Body ><!-- b -->\n <ü:ListDevices\n><ü:max><!-- c --><![CDATA[ 5]]> </ü:max></ü:ListDevices > </_.1:Body>\n</_.1:Envelope>\n<!-- end -->"
    );
    let operation = operation(&xml);
    assert!(operation.is("urn:platen:soap:v1", "ListDevices"));
    assert_eq!(operation.children[0].text.trim(), "5");
}

#[test]
fn an_envelope_without_a_header_and_with_an_empty_one_is_one() {
    operation(&format!(
        "<Envelope xmlns='{SOAP_11}'><Body>{BODY}</Body></Envelope>"
    ));
    operation(&format!(
        "<Envelope xmlns='{SOAP_12}'><Header/><Body>{BODY}</Body></Envelope>"
    ));
}

#[test]
fn security_and_addressing_are_understood_even_when_they_insist() {
    let header = format!(
        "<o:Security e:mustUnderstand='1' xmlns:o='{WSSE}'><o:UsernameToken/></o:Security>\
         <a:Action e:mustUnderstand='1' xmlns:a='{0}'>x</a:Action><a:MessageID xmlns:a='{0}'> urn:uuid:4711 </a:MessageID>\
         <a:To e:mustUnderstand='true' xmlns:a='{0}'>y</a:To>",
        ADDRESSING[0]
    );
    let envelope = read(None, enveloped(SOAP_12, &header).as_bytes()).unwrap();
    assert!(
        envelope
            .security
            .unwrap()
            .child(WSSE, "UsernameToken")
            .is_some()
    );
    let mut out = Out::default();
    begin(
        Version::Soap12,
        envelope.addressing.as_ref(),
        "urn:answer",
        &mut out,
    );
    let text = String::from_utf8(out.into_bytes()).unwrap();
    assert!(
        text.contains("<wsa:RelatesTo>urn:uuid:4711</wsa:RelatesTo>"),
        "{text}"
    );
    assert!(
        text.contains("<wsa:Action>urn:answer</wsa:Action>"),
        "{text}"
    );
    assert!(!text.contains("mustUnderstand"));
}

#[test]
fn an_unknown_header_is_passed_over_unless_it_insists_and_is_for_us() {
    let header =
        |attributes: &str| format!("<h:Trace xmlns:h='urn:other' {attributes}><h:x/></h:Trace>");
    for tolerated in [
        "",
        "e:mustUnderstand='0'",
        "e:mustUnderstand='1' e:actor='urn:another'",
    ] {
        read(None, enveloped(SOAP_11, &header(tolerated)).as_bytes()).unwrap();
    }
    let (_, text) = fault(
        "text/xml",
        &enveloped(SOAP_11, &header("e:mustUnderstand='1'")),
    );
    assert!(
        text.contains("<faultcode>soap:MustUnderstand</faultcode>"),
        "{text}"
    );
    let (_, text) = fault("", &enveloped(SOAP_12, &header("e:mustUnderstand='true'")));
    assert!(
        text.contains("<soap:Value>soap:MustUnderstand</soap:Value>"),
        "{text}"
    );
}

#[test]
fn another_envelope_is_a_version_mismatch() {
    let (version, text) = fault(
        "text/xml",
        "<Envelope xmlns='urn:soap:3'><Body/></Envelope>",
    );
    assert_eq!(version, Version::Soap11);
    assert!(text.contains("soap:VersionMismatch"), "{text}");
}

#[test]
fn what_cannot_be_read_is_answered_in_the_version_of_its_content_type() {
    let (version, text) = fault(
        "application/soap+xml; charset=utf-8; action=\"x\"",
        "<html>",
    );
    assert_eq!(version, Version::Soap12);
    assert!(
        text.contains("<soap:Value>soap:Sender</soap:Value>"),
        "{text}"
    );
    assert!(text.contains("<code>malformedRequest</code>"), "{text}");
    let (version, text) = fault("text/xml", "<html/>");
    assert_eq!(version, Version::Soap11);
    assert!(
        text.contains("<faultcode>soap:Client</faultcode>"),
        "{text}"
    );
}

#[test]
fn an_envelope_with_parts_missing_or_out_of_order_is_refused() {
    for inside in [
        "",
        "<Header/>",
        "<Body/>",
        "<Body>text</Body>",
        "<Body/><Header/>",
        "<x/><Body/>",
    ] {
        let (_, text) = fault(
            "text/xml",
            &format!("<Envelope xmlns='{SOAP_11}'>{inside}</Envelope>"),
        );
        assert!(text.contains("malformedRequest"), "{inside}: {text}");
    }
}
