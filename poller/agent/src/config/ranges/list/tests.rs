//! What people export is understood, and what is not is named with its line.

use proptest::prelude::*;

use super::*;

/// The rows in short: `line entry[ = access][ excluded]`.
fn rows(bytes: &[u8]) -> Vec<String> {
    let rows = parse(bytes).unwrap_or_else(|error| panic!("{error:?}"));
    rows.iter().map(short).collect()
}

fn short(row: &Row) -> String {
    let access = match &row.access {
        None => String::new(),
        Some(RowAccess::Named(name)) => format!(" = {name}"),
        Some(RowAccess::Community(community)) => format!(" = community {}", community.reveal()),
    };
    let excluded = if row.is_excluded { " excluded" } else { "" };
    format!("{} {}{access}{excluded}", row.line, row.entry)
}

fn refused(text: &str) -> (u64, String) {
    match parse(text.as_bytes()) {
        Err(Refused(line, problem)) => (line, problem),
        Ok(rows) => panic!("{text:?}: {rows:?}"),
    }
}

#[test]
fn a_plain_list_needs_no_heading() {
    assert_eq!(
        rows(b"10.0.0.1\n# gone: 10.0.0.2\n\n10.0.1.0/24,\"second, floor\"\nprinter.example.com:1161\n"),
        [
            "1 10.0.0.1",
            "4 10.0.1.1-10.0.1.254",
            "5 printer.example.com:1161"
        ]
    );
    assert_eq!(rows(b"Host,Room\n10.0.0.1,12\n"), ["2 10.0.0.1"]);
    assert!(rows(b"").is_empty());
}

#[test]
fn columns_are_found_by_name_whatever_separates_them() {
    let lines = [
        [
            "Name",
            "Room",
            "IP Address",
            "SNMP port",
            "Credentials",
            "Excluded",
        ],
        ["lobby", "1", "10.0.0.1", "", "", ""],
        ["plotter", "2", "10.0.0.2", "1161", "secure", "no"],
        ["lab", "3", "", "", "", ""],
        ["", "3", "10.0.4.0/24", "", "", "YES"],
        ["", "3", "", "", "", "yes"],
    ];
    let expected = [
        "2 10.0.0.1",
        "3 10.0.0.2:1161 = secure",
        "4 lab",
        "5 10.0.4.0-10.0.4.255 excluded",
    ];
    for separator in [",", ";", "\t"] {
        let text: String = lines.map(|line| line.join(separator) + "\r\n").concat();
        assert_eq!(rows(text.as_bytes()), expected, "{separator:?}");
    }
}

#[test]
fn what_spreadsheets_write_is_read() {
    let text = "\"Drucker\";\"IP-Adresse\";\"Community\"\r\n\"Büro, 1. OG\";10.0.0.1;ge;heim\r\n";
    let text = text.replace("ge;heim", "\"ge;heim\"");
    let expected = ["2 10.0.0.1 = community ge;heim"];
    assert_eq!(rows(text.as_bytes()), expected);
    assert_eq!(rows(format!("\u{feff}{text}").as_bytes()), expected);
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    assert_eq!(rows(&latin), expected);
    let wide = |of: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(of).collect()
    };
    assert_eq!(rows(&wide(u16::to_le_bytes)), expected);
    assert_eq!(rows(&wide(u16::to_be_bytes)), expected);
    assert_eq!(
        rows(b"sep=;\r\nip;comment\r\n10.0.0.1;a,b,c\r\n"),
        ["3 10.0.0.1"]
    );
}

#[test]
fn json_has_the_same_names() {
    let text = r#"[{"address": "10.0.0.1:1161", "serial": null, "printer": true}, {"ip": "10.0.0.2", "port": 1162, "excluded": false}]"#;
    assert_eq!(
        rows(text.as_bytes()),
        ["1 10.0.0.1:1161", "2 10.0.0.2:1162"]
    );
    assert_eq!(refused("[{\"serial\": \"X\"}]").0, 1);
    assert!(
        refused("[{\"ip\": \"10.0.0.1\"}, 2]")
            .1
            .contains("not a list of objects")
    );
    assert_eq!(rows(b"[fd00::7]:1161\n"), ["1 [fd00::7]:1161"]);
}

#[test]
fn what_cannot_be_taken_is_named_with_its_line() {
    for (text, line, problem) in [
        ("10.0.0.1\n10.0.0\n", 2, "not a range: \"10.0.0\""),
        ("ip\n10.0.0.9-1\n", 2, "ends before it begins"),
        ("ip\n10.0.0.0/8\n", 2, "more than 1048576"),
        (
            "ip,port\n\n10.0.0.1,x\n",
            3,
            "a number from 1 to 65535, not \"x\"",
        ),
        ("ip,port\n10.0.0.1:5,6\n", 2, "the port's column another"),
        ("ip,excluded\n10.0.0.1,perhaps\n", 2, "\"yes\" or \"no\""),
        (
            "ip,community,credential\n10.0.0.1,a,b\n",
            2,
            "one of the two",
        ),
        ("serial,port\nX,161\n", 1, "no column is called"),
        ("ip,port,snmp-port\n", 1, "two columns"),
        ("sep=;\nip\n10.0.0\n", 3, "not a range"),
    ] {
        let (at, said) = refused(text);
        assert_eq!(at, line, "{text:?}: {said}");
        assert!(said.contains(problem), "{text:?}: {said}");
    }
    let many = "10.0.0.1\n".repeat(ROWS_MAX + 1);
    assert!(refused(&many).1.contains("more than 100000 entries"));
}

#[test]
fn a_community_is_not_shown() {
    let rows = parse(b"ip,community\n10.0.0.1,hunter2\n").unwrap();
    assert!(!format!("{rows:?}").contains("hunter2"));
}

#[test]
fn a_file_that_is_too_long_or_missing_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("printers.csv");
    let error = read(&path).unwrap_err();
    assert!(matches!(error, ListError::Read { .. }), "{error}");
    let file = File::create(&path).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.ends_with("longer than 16777216 bytes"), "{error}");
    std::fs::write(&path, "ip\nnonsense!\n").unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(
        error.contains("printers.csv line 2: not a range"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_lines_are_read_or_refused_with_a_line_that_there_is(
        text in "(sep=;\n)?[a-z,;\t\"#{}\\[\\]:0-9./-]{0,60}(\r?\n[ipors,;\t\"#0-9./:-]{0,30}){0,6}",
    ) {
        let lines = text.lines().count() as u64;
        match parse(text.as_bytes()) {
            Ok(rows) => prop_assert!(rows.iter().all(|row| (1..=lines).contains(&row.line))),
            Err(Refused(line, problem)) => prop_assert!(line <= lines.max(1), "{} {}", line, problem),
        }
    }
}
