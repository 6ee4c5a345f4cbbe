//! The WSDL: one file without imports, made of the lists in [`crate::operations`].
//!
//! WSDL 1.1 with a SOAP 1.1 and a SOAP 1.2 binding, document/literal wrapped, one schema with one target namespace and
//! qualified elements; no choice, any, array type, nillable, policy, or attribute.

use std::collections::BTreeMap;

use crate::fault::Code;
use crate::operations::OPERATIONS;
use crate::out::Out;
use crate::schema::{Column, Kind, NAMESPACE, Need, Record};

/// Where the service is, under the manager's public URL.
const PATH: &str = "/soap/v1";

/// The WSDL of a service whose public URL is `public_url`.
pub(crate) fn wsdl(public_url: &str) -> String {
    let mut out = Out::with_capacity(64 * 1024);
    out.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.raw("<wsdl:definitions name=\"PlatenService\"");
    for (prefix, namespace) in [
        ("wsdl", "http://schemas.xmlsoap.org/wsdl/"),
        ("soap", "http://schemas.xmlsoap.org/wsdl/soap/"),
        ("soap12", "http://schemas.xmlsoap.org/wsdl/soap12/"),
        ("xs", "http://www.w3.org/2001/XMLSchema"),
        ("tns", NAMESPACE),
    ] {
        out.raw(&format!(" xmlns:{prefix}=\"{namespace}\""));
    }
    out.raw(&format!(" targetNamespace=\"{NAMESPACE}\">\n"));
    documentation(
        &mut out,
        "wsdl",
        "Meters and devices of a printer fleet, for ERP billing. Lists are given in pages: call again with the cursor of the answer before. \
         Times are in UTC. Cursors are opaque and stay good over restarts. Elements and operations may be added, nothing is ever renamed or removed.",
    );
    out.raw("<wsdl:types>\n");
    schema(&mut out);
    out.raw("</wsdl:types>\n");
    messages(&mut out);
    port_type(&mut out);
    binding(&mut out, "soap", "PlatenSoap11");
    binding(&mut out, "soap12", "PlatenSoap12");
    out.raw("<wsdl:service name=\"PlatenService\">\n");
    for (prefix, port) in [("soap", "PlatenSoap11"), ("soap12", "PlatenSoap12")] {
        out.raw(&format!(
            "<wsdl:port name=\"{port}\" binding=\"tns:{port}\"><{prefix}:address location=\""
        ));
        out.text(public_url.trim_end_matches('/'));
        out.raw(&format!("{PATH}\"/></wsdl:port>\n"));
    }
    out.raw("</wsdl:service>\n</wsdl:definitions>\n");
    String::from_utf8(out.into_bytes()).expect("it was made of strings")
}

fn schema(out: &mut Out) {
    out.raw(&format!(
        "<xs:schema targetNamespace=\"{NAMESPACE}\" elementFormDefault=\"qualified\">\n"
    ));
    let mut records: BTreeMap<&str, (&Record, &str)> = BTreeMap::new();
    for operation in OPERATIONS {
        for (suffix, columns) in [("", operation.parameters), ("Response", operation.response)] {
            out.raw(&format!(
                "<xs:element name=\"{}{suffix}\"><xs:complexType><xs:sequence>\n",
                operation.name
            ));
            for column in columns {
                element(out, column);
                if let Kind::List(record) = column.kind {
                    records.insert(record.name, (record, column.name));
                }
            }
            out.raw("</xs:sequence></xs:complexType></xs:element>\n");
        }
    }
    for (record, list) in records.values() {
        let name = capital(record.name);
        out.raw(&format!("<xs:complexType name=\"{}\">", capital(list)));
        documentation(out, "xs", "A list and how many it holds.");
        out.raw("<xs:sequence>\n<xs:element name=\"count\" type=\"xs:int\"/>\n");
        out.raw(&format!(
            "<xs:element name=\"{}\" type=\"tns:{name}\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>\n</xs:sequence></xs:complexType>\n",
            record.name
        ));
        out.raw(&format!("<xs:complexType name=\"{name}\">"));
        documentation(out, "xs", record.doc);
        out.raw("<xs:sequence>\n");
        for column in record.columns {
            element(out, column);
        }
        out.raw("</xs:sequence></xs:complexType>\n");
    }
    out.raw("<xs:element name=\"serviceFault\"><xs:complexType>");
    documentation(out, "xs", "What stands in a fault's detail.");
    out.raw("<xs:sequence>\n");
    let codes: Vec<String> = Code::ALL
        .iter()
        .map(|(word, text)| format!("{word}: {text}"))
        .collect();
    let codes = format!("For programs, one of: {}.", codes.join("; "));
    for (name, text) in [
        ("code", codes.as_str()),
        ("message", "A sentence for people."),
    ] {
        out.raw(&format!("<xs:element name=\"{name}\" type=\"xs:string\">"));
        documentation(out, "xs", text);
        out.raw("</xs:element>\n");
    }
    out.raw("</xs:sequence></xs:complexType></xs:element>\n</xs:schema>\n");
}

fn element(out: &mut Out, column: &Column) {
    let list;
    let kind = match column.kind {
        Kind::Text => "xs:string",
        Kind::Long => "xs:long",
        Kind::Int => "xs:int",
        Kind::Flag => "xs:boolean",
        Kind::Time => "xs:dateTime",
        Kind::List(_) => {
            list = format!("tns:{}", capital(column.name));
            list.as_str()
        }
    };
    let optional = match column.need {
        Need::Always => "",
        Need::Optional => " minOccurs=\"0\"",
    };
    out.raw(&format!(
        "<xs:element name=\"{}\" type=\"{kind}\"{optional}>",
        column.name
    ));
    documentation(out, "xs", column.doc);
    out.raw("</xs:element>\n");
}

fn messages(out: &mut Out) {
    for operation in OPERATIONS {
        for (suffix, element) in [("Request", ""), ("Response", "Response")] {
            let name = operation.name;
            out.raw(&format!(
                "<wsdl:message name=\"{name}{suffix}\"><wsdl:part name=\"parameters\" element=\"tns:{name}{element}\"/></wsdl:message>\n"
            ));
        }
    }
    out.raw("<wsdl:message name=\"ServiceFault\"><wsdl:part name=\"detail\" element=\"tns:serviceFault\"/></wsdl:message>\n");
}

fn port_type(out: &mut Out) {
    out.raw("<wsdl:portType name=\"Platen\">\n");
    for operation in OPERATIONS {
        let name = operation.name;
        out.raw(&format!("<wsdl:operation name=\"{name}\">"));
        documentation(out, "wsdl", operation.doc);
        out.raw(&format!(
            "<wsdl:input message=\"tns:{name}Request\"/><wsdl:output message=\"tns:{name}Response\"/>\
             <wsdl:fault name=\"ServiceFault\" message=\"tns:ServiceFault\"/></wsdl:operation>\n"
        ));
    }
    out.raw("</wsdl:portType>\n");
}

fn binding(out: &mut Out, prefix: &str, name: &str) {
    out.raw(&format!(
        "<wsdl:binding name=\"{name}\" type=\"tns:Platen\">\
         <{prefix}:binding style=\"document\" transport=\"http://schemas.xmlsoap.org/soap/http\"/>\n"
    ));
    for operation in OPERATIONS {
        out.raw(&format!(
            "<wsdl:operation name=\"{}\"><{prefix}:operation soapAction=\"{}\" style=\"document\"/>\
             <wsdl:input><{prefix}:body use=\"literal\"/></wsdl:input><wsdl:output><{prefix}:body use=\"literal\"/></wsdl:output>\
             <wsdl:fault name=\"ServiceFault\"><{prefix}:fault name=\"ServiceFault\" use=\"literal\"/></wsdl:fault></wsdl:operation>\n",
            operation.name,
            action(operation.name),
        ));
    }
    out.raw("</wsdl:binding>\n");
}

/// What SOAPAction and WS-Addressing call an operation's request.
pub(crate) fn action(operation: &str) -> String {
    format!("{NAMESPACE}/{operation}")
}

fn documentation(out: &mut Out, prefix: &str, text: &str) {
    let (open, close) = match prefix {
        "xs" => (
            "<xs:annotation><xs:documentation xml:lang=\"en\">",
            "</xs:documentation></xs:annotation>",
        ),
        _ => ("<wsdl:documentation>", "</wsdl:documentation>"),
    };
    out.raw(open);
    out.text(text);
    out.raw(close);
}

fn capital(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wsdl_names_the_public_url_and_nothing_that_breaks_a_client() {
        let wsdl = wsdl("https://manager.example:8443/");
        assert_eq!(
            wsdl.matches("location=\"https://manager.example:8443/soap/v1\"")
                .count(),
            2
        );
        assert!(wsdl.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
        for forbidden in [
            "import",
            "include",
            "nillable",
            "xs:choice",
            "xs:any",
            "xs:attribute",
            "Policy",
            "encoded",
            "arrayType",
            "substitutionGroup",
        ] {
            assert!(
                !wsdl.contains(&format!("<xs:{forbidden}"))
                    && !wsdl.contains(&format!(" {forbidden}=")),
                "{forbidden}"
            );
        }
        assert!(!wsdl.contains("wsdl:import") && !wsdl.contains("Policy"));
    }
}
