//! Recordings: what is read, what is answered, what is refused.

use super::*;

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

#[test]
fn every_type_of_value_is_read() {
    let text = b"1.3.6.1.1.1|2|-3\n1.3.6.1.1.2|4|a|b\r\n.1.3.6.1.1.3|4x|00FF 0a\n1.3.6.1.1.4|5|\n1.3.6.1.1.5|6|.1.3.6.1\n1.3.6.1.1.6|64|192.0.2.7\n\
        1.3.6.1.1.7|64x|c0000207\n1.3.6.1.1.8|65|4294967295\n1.3.6.1.1.9|66|7\n1.3.6.1.1.10|67|8\n1.3.6.1.1.11|68x|01\n1.3.6.1.1.12|70|18446744073709551615\n\n# end\n";
    let recording = Recording::parse(text).unwrap();
    let values = recording.variables().values().cloned().collect::<Vec<_>>();
    assert_eq!(
        values,
        [
            Value::Integer(-3),
            Value::OctetString(b"a|b".to_vec()),
            Value::OctetString(vec![0, 255, 10]),
            Value::Null,
            Value::ObjectId(oid("1.3.6.1")),
            Value::IpAddress([192, 0, 2, 7]),
            Value::IpAddress([192, 0, 2, 7]),
            Value::Counter32(u32::MAX),
            Value::Gauge32(7),
            Value::TimeTicks(8),
            Value::Opaque(vec![1]),
            Value::Counter64(u64::MAX),
        ]
    );
}

#[test]
fn an_error_names_its_line() {
    for (text, line, reason) in [
        (&b"# a walk\n1.3.6.2|2"[..], 2, "not OID|tag|value"),
        (b"1.3.6.1|2|one", 1, "the value is no number"),
        (b"x|2|1", 1, "not an object identifier"),
        (b"1.3.6.1|99|1", 1, "the type tag \"99\" is not known"),
        (b"1.3.6.1|4x|abc", 1, "an odd number"),
        (b"1.3.6.1|65|4294967296", 1, "the value exceeds 32 bits"),
        (b"1.3.6.1|64|1.2.3", 1, "the value is no IPv4 address"),
    ] {
        let error = Recording::parse(text).unwrap_err();
        assert!(
            error.line == line && error.reason.starts_with(reason),
            "{error}"
        );
    }
}

#[test]
fn a_line_that_is_no_variable_costs_no_other() {
    let text =
        b"1.3.6.1.1|65|6git3159\n1.3.6.1.2|2|7\n1.3.6.1.2.1.1.1.0 = STRING: x\n1.3.6.1.3|4|good\n";
    let recording = Recording::parse(text).unwrap();
    assert_eq!(recording.variables().len(), 2);
    let lines = recording.skipped().iter().map(|error| error.line);
    assert_eq!(lines.collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn get_and_next_answer_as_a_device_does() {
    let recording =
        Recording::parse(b"1.3.6.1.1.1|2|1\n1.3.6.1.1.1.1|2|2\n1.3.6.1.2|2|3\n").unwrap();
    assert_eq!(recording.get(&oid("1.3.6.1.1.1")), Some(&Value::Integer(1)));
    assert_eq!(recording.get(&oid("1.3.6.1.1")), None);
    assert_eq!(
        recording.next(&oid("1.3.6.1.1.1")),
        Some((&oid("1.3.6.1.1.1.1"), &Value::Integer(2)))
    );
    assert_eq!(recording.next(&oid("1.3.6.1.2")), None);
}

#[test]
fn an_object_identifier_survives_its_octets() {
    for text in [
        "1.3.6.1.4.1.2435.2.3.9.1",
        "0.0",
        "1.3.6.1.4.1.4294967295.128.127",
        "2.39.1",
    ] {
        assert_eq!(
            Oid::from_ber(&ber_content(&oid(text))),
            Some(oid(text)),
            "{text}"
        );
    }
}

#[test]
fn a_recording_of_a_recording_tells_no_names_and_still_the_same() {
    let text = b"1.3.6.1.2.1.1.1.0|4|SHARP MX-1\n1.3.6.1.2.1.1.4.0|4|Erika Muster\n1.3.6.1.2.1.1.5.0|4|KMEXAMPLE1\n1.3.6.1.2.1.1.6.0|4|Room 7\n\
        1.3.6.1.2.1.2.2.1.6.1|4x|0017c8aabbcc\n1.3.6.1.2.1.4.20.1.2.192.0.2.9|2|1\n1.3.6.1.2.1.43.5.1.1.17.1|4|QX81234567\n\
        1.3.6.1.2.1.43.11.1.1.6.1.1|4|Toner, S/N:QX81234567\n1.3.6.1.2.1.43.11.1.1.9.1.1|2|40\n1.3.6.1.4.1.2699.1.2.1.2.1.1.7.1|4|public\n\
        1.3.6.1.4.1.2699.1.1.1.3.1.1.2.1.1|4|letter to Erika.doc\n";
    let recording = Recording::parse(text).unwrap();
    let mut recorder = Recorder::new(&ProfileSet::embedded());
    recording.answer(&mut recorder);
    let written = recorder.into_text();
    for secret in [
        "Erika",
        "KMEXAMPLE1",
        "Room 7",
        "aabbcc",
        "QX81234567",
        "public",
        "192.0.2.9",
    ] {
        assert!(!written.contains(secret), "{secret} in\n{written}");
    }
    let again = Recording::parse(written.as_bytes()).unwrap();
    assert_eq!(
        again.get(&oid("1.3.6.1.2.1.43.11.1.1.9.1.1")),
        Some(&Value::Integer(40))
    );
    let serial = |oid_text| match again.get(&oid(oid_text)) {
        Some(Value::OctetString(octets)) => String::from_utf8(octets.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        serial("1.3.6.1.2.1.43.11.1.1.6.1.1"),
        format!("Toner, S/N:{}", serial("1.3.6.1.2.1.43.5.1.1.17.1"))
    );
}

#[test]
fn whatever_tells_a_name_is_scrubbed_of_a_recording() {
    for (kind, place) in [
        ("contact", "1.3.6.1.2.1.1.4.0"),
        ("name", "1.3.6.1.2.1.1.5.0"),
        ("place", "1.3.6.1.2.1.1.6.0"),
        ("the printer's name", "1.3.6.1.2.1.43.5.1.1.16.1"),
        ("the panel", "1.3.6.1.2.1.43.16.5.1.2.1.1"),
        ("a maker's host name", "1.3.6.1.4.1.1347.40.10.1.1.5.1"),
        (
            "a maker's asset number",
            "1.3.6.1.4.1.2001.1.1.1.1.11.1.10.40.2.0",
        ),
    ] {
        let text = format!(
            "1.3.6.1.2.1.1.1.0|4|Laser of Personnel Muster\n{place}|4|Personnel Muster\n1.3.6.1.2.1.43.11.1.1.9.1.1|2|40\n"
        );
        let recording = Recording::parse(text.as_bytes()).unwrap();
        let mut recorder = Recorder::new(&ProfileSet::embedded());
        recording.answer(&mut recorder);
        let written = recorder.into_text();
        let again = Recording::parse(written.as_bytes()).unwrap();
        assert_eq!(again.variables().len(), 3, "{kind}: {written}");
        assert_eq!(
            again.get(&oid(place)),
            Some(&Value::OctetString(b"<private>".to_vec())),
            "{kind}"
        );
        // What stands on a panel is no name, so it is not looked for elsewhere.
        if kind != "the panel" {
            assert!(!written.contains("Muster"), "{kind}: {written}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = Recording::parse(&bytes);
    }
}
