//! The configuration's promises: every error points, every key is explained, no secret is shown.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

mod addresses;

use super::*;

const MINIMAL: &str = r#"
[manager]
url = "http://127.0.0.1:8000"
agent_id = "a"
token = "hunter2-token"

[spool]
directory = "spool"
"#;

fn parse(text: &str) -> Result<AgentConfig, ConfigError> {
    AgentConfig::parse(text, "agent.toml", Path::new("/etc/platen"))
}

fn error_of(text: &str) -> KeyError {
    match parse(text) {
        Err(ConfigError::Key(error)) => *error,
        other => panic!("expected an error with a place, got {other:?}"),
    }
}

#[test]
fn the_smallest_file_is_taken_with_defaults() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.manager.url, "http://127.0.0.1:8000");
    assert_eq!(config.spool.directory, Path::new("/etc/platen/spool"));
    assert_eq!(config.schedule.status, Duration::from_secs(300));
    assert_eq!(config.names.reverse_dns, ReverseDns::System);
    assert!(config.ranges.is_empty());
}

#[test]
fn the_example_is_taken_as_it_stands() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config.ranges.len(), 1);
    let entries = &config.ranges[0].include;
    assert_eq!(*entries, [RangeEntry::parse("192.0.2.0/24").unwrap()]);
    let labels: Vec<_> = (config.ranges[0].credentials.iter())
        .map(|credential| &*credential.label)
        .collect();
    assert_eq!(labels, ["public"]);
    let open: Vec<(&str, &str)> = (config.placeholders.iter())
        .map(|error| (&*error.key, EXAMPLE.lines().nth(error.line - 1).unwrap()))
        .collect();
    assert_eq!(open, [("manager.token", "token = \"replace-me\"")]);
}

#[test]
fn the_forms_of_ranges_that_the_example_names_are_taken() {
    let line = EXAMPLE.lines().find(|line| line.contains("10.2.1.10-99"));
    let forms: Vec<&str> = line.unwrap().split('"').skip(1).step_by(2).collect();
    assert_eq!(forms.len(), 5);
    for form in forms {
        assert!(RangeEntry::parse(form).is_ok(), "{form}");
    }
}

#[test]
fn the_second_credentials_of_the_example_can_be_switched_on_and_must_be_filled_in() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let config = parse(&with_second_credentials(&lines).join("\n")).unwrap();
    let labels: Vec<_> = (config.ranges[0].credentials.iter())
        .map(|credential| &*credential.label)
        .collect();
    assert_eq!(labels, ["public", "secure"], "in the file's order");
    let open: Vec<&str> = (config.placeholders.iter())
        .map(|error| &*error.key)
        .collect();
    assert_eq!(
        open,
        [
            "manager.token",
            "credentials[1].authentication_password",
            "credentials[1].privacy_password"
        ]
    );
}

/// The lines with the credentials of version 3 switched on.
fn with_second_credentials<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let head = lines.iter().position(|line| *line == "#[[credentials]]");
    let end = lines.iter().position(|line| *line == "[[range]]");
    let block = head.unwrap()..end.unwrap();
    let is_key = |line: &str| !line.starts_with(' ') && line.contains(['[', '=']);
    (lines.iter().enumerate())
        .map(|(at, line)| match line.strip_prefix('#') {
            Some(bare) if block.contains(&at) && is_key(bare) => bare,
            _ => *line,
        })
        .collect()
}

#[test]
fn the_example_has_every_key_and_every_key_of_it_exists() {
    // What serde would accept in each table, learned by asking it for a key that does not exist.
    let table_heads = [
        ("", ""),
        ("manager", "[manager]\n"),
        ("manager.tls", "[manager.tls]\n"),
        ("manager.proxy", "[manager.proxy]\n"),
        ("spool", "[spool]\n"),
        ("report", "[report]\n"),
        ("schedule", "[schedule]\n"),
        ("polling", "[polling]\n"),
        ("traps", "[traps]\n"),
        ("discovery", "[discovery]\n"),
        ("names", "[names]\n"),
        ("credentials", "[[credentials]]\n"),
        ("range", "[[range]]\n"),
    ];
    for (table, head) in table_heads {
        let error = error_of(&format!("{head}no_such_key = 1\n"));
        let accepted: BTreeSet<String> = error
            .accepted
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        assert!(!accepted.is_empty(), "{table}: {error}");
        let mut explained = keys_of_example(table);
        if table.is_empty() {
            let tables = table_heads.iter().map(|(name, _)| *name);
            explained.extend(
                tables
                    .filter(|name| !name.is_empty() && !name.contains('.'))
                    .map(str::to_owned),
            );
        }
        if table == "manager" {
            explained.extend(["tls".to_owned(), "proxy".to_owned()]);
        }
        assert_eq!(explained, accepted, "table [{table}]");
    }
}

/// The keys that the example has or shows in a table, commented out or not.
fn keys_of_example(wanted: &str) -> BTreeSet<String> {
    let mut table = String::new();
    let mut keys = BTreeSet::new();
    for line in EXAMPLE.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if line.starts_with(' ') {
            continue;
        }
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ")
            && table == wanted
        {
            keys.insert(key.to_owned());
        }
    }
    keys
}

#[test]
fn every_optional_line_of_the_example_can_be_switched_on() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let mut tried = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(bare) = line.strip_prefix('#') else {
            continue;
        };
        let is_key = bare.starts_with(|c: char| c.is_ascii_lowercase()) && bare.contains(" = ");
        if !is_key {
            continue;
        }
        let mut with = with_second_credentials(&lines);
        with[at] = bare;
        // A proxy's keys only mean something below its heading and URL; `_file` and pairs need what they stand for.
        for (number, other) in lines.iter().enumerate() {
            if number < at
                && ["#[manager.proxy]", "#url = "]
                    .iter()
                    .any(|l| other.starts_with(l))
            {
                with[number] = &other[1..];
            }
        }
        match parse(&with.join("\n")) {
            Ok(_) => {}
            // Accepted by shape, refused because a second key or a file is wanted: that names the key too.
            Err(ConfigError::Key(error)) => {
                let (key, _) = bare.split_once(" = ").unwrap();
                assert!(!error.problem.contains("unknown"), "{error}");
                let wants_more = ["together", "one of the two", "a folder with", "CSV"];
                assert!(
                    wants_more.iter().any(|want| error.accepted.contains(want)),
                    "{key}: {error}"
                );
            }
            Err(ConfigError::Read { what, .. }) => assert!(bare.contains("_file"), "{what}"),
        }
        tried += 1;
    }
    assert!(tried > 40, "{tried} optional keys");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_what_is_accepted() {
    let text = format!("{MINIMAL}bytes_maximum = \"1 GB\"\n");
    let error = error_of(&text);
    assert_eq!((error.line, error.column), (9, 1));
    assert_eq!(error.key, "spool.bytes_maximum");
    assert_eq!(error.problem, "unknown key `bytes_maximum`");
    assert!(error.accepted.contains("`bytes_max`"), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("agent.toml:9:1: spool.bytes_maximum: unknown key")
    );
}

#[test]
fn a_missing_key_is_named() {
    let error = error_of("[manager]\nurl = \"https://m\"\nagent_id = \"a\"\ntoken = \"t\"\n");
    assert_eq!(error.problem, "missing key `spool`");
    let error =
        error_of("[manager]\nurl = \"https://m\"\nagent_id = \"a\"\n[spool]\ndirectory = \"s\"\n");
    assert_eq!((error.line, &*error.problem), (1, "there is no token"));
}

#[test]
fn a_value_of_the_wrong_type_points_to_the_value() {
    let error = error_of(&MINIMAL.replace("\"spool\"", "7"));
    assert_eq!(
        (error.line, error.column, &*error.key),
        (8, 13, "spool.directory")
    );
}

#[test]
fn bad_values_point_to_the_value_and_say_what_is_accepted() {
    let with = |table: &str, line: &str| format!("{MINIMAL}[{table}]\n{line}\n");
    let range = |line: &str| {
        format!("{MINIMAL}[[range]]\nname = \"r\"\ninclude = [\"10.0.0.1\"]\n{line}\n")
    };
    for (text, place, key, accepted) in [
        (
            with("schedule", "status = \"5 parsecs\""),
            (10, 10),
            "schedule.status",
            "\"5m\"",
        ),
        (
            with("schedule", "status = \"1 ms\""),
            (10, 10),
            "schedule.status",
            "from 1s",
        ),
        (
            with("schedule", "quiet_hours = [\"22:00-05:00\", \"noon\"]"),
            (10, 31),
            "schedule.quiet_hours",
            "22:00",
        ),
        (
            with("schedule", "time_zone = \"Mars/Olympus\""),
            (10, 13),
            "schedule.time_zone",
            "Europe/Berlin",
        ),
        (
            with("report", "devices_max = 0"),
            (10, 15),
            "report.devices_max",
            "1 to 1000",
        ),
        (
            with("report", "encoding = \"lzma\""),
            (10, 12),
            "report.encoding",
            "\"gzip\", \"zstd\"",
        ),
        (
            with("names", "reverse_dns = \"10.0.0.1\""),
            (10, 15),
            "names.reverse_dns",
            "ADDRESS:PORT",
        ),
        (
            with("polling", "packets_per_second = -1"),
            (10, 22),
            "polling.packets_per_second",
            "1 to 1000000",
        ),
        (
            range("exclude = [\"10.0.0.0/33\"]"),
            (12, 12),
            "range[0].exclude",
            "a network",
        ),
        (
            range("credentials = [\"nobody\"]"),
            (12, 16),
            "range[0].credentials",
            "[[credentials]]",
        ),
        (
            format!("{MINIMAL}bytes_max = \"1 kB\"\n"),
            (9, 13),
            "spool.bytes_max",
            "1 MB",
        ),
        (
            MINIMAL.replace("http://127.0.0.1", "http://10.0.0.1"),
            (3, 7),
            "manager.url",
            "plain_http",
        ),
        (
            MINIMAL.replace("http://127.0.0.1:8000", "ftp://x"),
            (3, 7),
            "manager.url",
            "https://",
        ),
        (
            MINIMAL.replace("\"a\"", "\"A b\""),
            (4, 12),
            "manager.agent_id",
            "1 to 64",
        ),
    ] {
        let error = error_of(&text);
        assert_eq!((error.line, error.column), place, "{error}");
        assert_eq!(error.key, key, "{error}");
        assert!(error.accepted.contains(accepted), "{error}");
    }
}

#[test]
fn credentials_are_checked_as_a_whole() {
    let with = |lines: &str| format!("{MINIMAL}[[credentials]]\nname = \"c\"\n{lines}\n");
    for (lines, problem) in [
        ("version = \"2\"\ncommunity = \"x\"", "not a version"),
        ("version = \"2c\"", "needs a community"),
        (
            "version = \"1\"\ncommunity = \"x\"\nuser = \"u\"",
            "has no users",
        ),
        ("version = \"3\"", "needs a user"),
        (
            "version = \"3\"\nuser = \"u\"\ncommunity = \"x\"",
            "has no community",
        ),
        (
            "version = \"3\"\nuser = \"u\"\nauthentication = \"sha256\"",
            "both a protocol and a password",
        ),
        (
            "version = \"3\"\nuser = \"u\"\nauthentication = \"sha256\"\nauthentication_password = \"short\"",
            "too short",
        ),
        (
            "version = \"3\"\nuser = \"u\"\nprivacy = \"des\"\nprivacy_password = \"long enough\"",
            "needs authentication",
        ),
    ] {
        let error = error_of(&with(lines));
        assert!(error.problem.contains(problem), "{error}");
        assert!(error.key.starts_with("credentials[0]"), "{error}");
    }
}

#[test]
fn names_of_ranges_are_used_once_and_no_name_is_too_long_for_a_message() {
    let range = |name: &str| format!("[[range]]\nname = \"{name}\"\ninclude = [\"192.0.2.1\"]\n");
    assert!(parse(&format!("{MINIMAL}{}{}", range("HQ"), range("HQ (old)"))).is_ok());
    let error = error_of(&format!("{MINIMAL}{}{}", range("HQ"), range("HQ")));
    assert_eq!(error.problem, "another range has this name");
    let long = "x".repeat(256);
    for lines in [
        format!("version = \"2c\"\ncommunity = \"{long}\""),
        format!("version = \"3\"\nuser = \"{long}\""),
        format!("version = \"3\"\nuser = \"u\"\ncontext = \"{long}\""),
    ] {
        let with = |lines: &str| format!("{MINIMAL}[[credentials]]\nname = \"c\"\n{lines}\n");
        let error = error_of(&with(&lines));
        assert_eq!(error.problem, "too long for a message of SNMP");
        assert!(parse(&with(&lines.replace(&long, &long[1..]))).is_ok());
    }
}

#[test]
fn credentials_are_tried_in_the_order_of_the_file_whatever_its_comments_and_names_say() {
    let text = format!(
        "# \"public\" is tried last, \"secure\" first\n{MINIMAL}\n\
         [[credentials]]\nname = \"secure\"\nversion = \"3\"\nuser = \"platen\"\n\n\
         [[credentials]]\nname = \"old\"\nversion = \"1\"\ncommunity = \"secret\"\n\n\
         [[credentials]]\nname = \"public\"\nversion = \"2c\"\ncommunity = \"public\"\n\n\
         [[range]]\nname = \"all\"\ninclude = [\"192.0.2.1\"]\n\n\
         [[range]]\nname = \"some\"\ninclude = [\"192.0.2.2\"]\ncredentials = [\"public\", \"secure\"]\n"
    );
    let labels = |range: &RangeConfig| -> Vec<String> {
        let credentials = range.credentials.iter();
        credentials.map(|one| one.label.to_string()).collect()
    };
    let config = parse(&text).unwrap();
    let ranges: Vec<_> = config.ranges.iter().map(labels).collect();
    assert_eq!(
        ranges,
        [&["secure", "old", "public"][..], &["public", "secure"]]
    );
}

#[test]
fn no_secret_is_shown() {
    let text = format!(
        "{MINIMAL}[manager.proxy]\nurl = \"http://p:3128\"\nuser = \"u\"\npassword = \"hunter2-proxy\"\n\
         [[credentials]]\nname = \"v2\"\nversion = \"2c\"\ncommunity = \"hunter2-community\"\n\
         [[credentials]]\nname = \"v3\"\nversion = \"3\"\nuser = \"u\"\nauthentication = \"sha256\"\n\
         authentication_password = \"hunter2-auth\"\nprivacy = \"aes128\"\nprivacy_password = \"hunter2-priv\"\n\
         [[range]]\nname = \"r\"\ninclude = [\"10.0.0.1\"]\n"
    );
    let config = parse(&text).unwrap();
    assert_eq!(config.ranges[0].credentials.len(), 2);
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_token_may_lie_in_a_file_and_a_csv_may_list_printers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), "from-a-file\n").unwrap();
    std::fs::write(
        folder.path().join("p.csv"),
        "Host,Room\n10.0.0.1,12\n# gone: 10.0.0.2\n10.0.1.0/24,\"second, floor\"\n",
    )
    .unwrap();
    let text = MINIMAL.replace("token = \"hunter2-token\"", "token_file = \"t\"")
        + "[[range]]\nname = \"r\"\ninclude_file = \"p.csv\"\n";
    let config = AgentConfig::parse(&text, "agent.toml", folder.path()).unwrap();
    assert_eq!(config.manager.token.reveal(), "from-a-file");
    let entries: Vec<_> = config.ranges[0]
        .include
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(entries, ["10.0.0.1", "10.0.1.1-10.0.1.254"]);

    std::fs::write(folder.path().join("p.csv"), "10.0.0.1\n10.0.0\n").unwrap();
    match AgentConfig::parse(&text, "agent.toml", folder.path()) {
        Err(ConfigError::Key(error)) => assert!(error.problem.contains("line 2"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_helps_discovery_is_off_unless_asked_for() {
    let config = parse(MINIMAL).unwrap();
    assert!(config.discovery.hints.is_empty() && config.discovery.mdns.is_none());
    let config = parse(&format!(
        "{MINIMAL}[discovery]\nhints = [\"tcp7\", \"icmp\"]\nmdns = true\nmdns_interfaces = [\"127.0.0.1\"]\n"
    ))
    .unwrap();
    assert_eq!(config.discovery.hints, [Hint::Tcp7, Hint::Icmp]);
    assert_eq!(config.discovery.mdns, Some(vec![Ipv4Addr::LOCALHOST]));
    let error = error_of(&format!("{MINIMAL}[discovery]\nhints = [\"arp\"]\n"));
    assert_eq!((error.line, &*error.key), (10, "discovery.hints"));
    assert_eq!(error.accepted, "\"icmp\", \"tcp7\"");
}

#[test]
fn lines_of_a_list_may_have_an_access_of_their_own_and_be_excluded() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("p.csv"),
        "ip;port;credentials;community;excluded\n10.0.0.1;;;;\n10.0.0.2;1161;secure;;\n10.0.0.3;;;hunter2;\n\
         10.0.0.4;;secure;;\n10.0.0.5;;;;yes\n",
    )
    .unwrap();
    let text = format!(
        "{MINIMAL}[[credentials]]\nname = \"plain\"\nversion = \"2c\"\ncommunity = \"x\"\n\
         [[credentials]]\nname = \"secure\"\nversion = \"3\"\nuser = \"u\"\n\
         [[range]]\nname = \"r\"\ninclude = [\"10.0.0.0/29\"]\ninclude_file = \"p.csv\"\ncredentials = [\"plain\"]\n"
    );
    let config = AgentConfig::parse(&text, "agent.toml", folder.path()).unwrap();
    let ranges: Vec<String> = (config.ranges.iter())
        .map(|range| {
            let texts = |entries: &[RangeEntry]| {
                let texts: Vec<_> = entries.iter().map(ToString::to_string).collect();
                texts.join(" ")
            };
            let labels: Vec<&str> = range.credentials.iter().map(|c| &*c.label).collect();
            let (include, exclude) = (texts(&range.include), texts(&range.exclude));
            format!(
                "{}: {include} without {exclude} by {}",
                range.name,
                labels.join(", ")
            )
        })
        .collect();
    assert_eq!(
        ranges,
        [
            "r: 10.0.0.1-10.0.0.6 10.0.0.1 without 10.0.0.5 by plain",
            "r (secure): 10.0.0.2:1161 10.0.0.4 without 10.0.0.5 by secure",
            "r (community 1): 10.0.0.3 without 10.0.0.5 by community 1, community 1, v1",
        ]
    );
    let mut file = config.ranges[0].file.clone().unwrap();
    assert!(!file.has_changed());
    assert!(!format!("{config:?}").contains("hunter2"));
    std::fs::write(file.path(), "10.0.0.1\n10.0.0.9\n").unwrap();
    assert!(file.has_changed());
    let ranges = file.read().unwrap();
    assert_eq!((ranges.len(), ranges[0].include.len()), (1, 3));
    assert!(!ranges[0].file.as_ref().unwrap().has_changed());
    for (text, problem) in [
        (
            "ip,credentials\n10.0.0.1,nobody\n",
            "line 2: there are no credentials of the name \"nobody\"",
        ),
        ("ip\n10.0.0.0/8\n", "line 2: the range has more than"),
        (
            &format!("ip,community\n10.0.0.1,{}\n", "x".repeat(256)),
            "line 2: the community has more than 255 bytes",
        ),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let error = file.read().unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    file.leave();
    assert!(!file.has_changed(), "what cannot be taken is said once");
}

#[test]
fn traps_are_heard_only_where_asked_for_and_by_the_users_of_the_credentials() {
    assert!(parse(MINIMAL).unwrap().traps.listen.is_empty());
    let config = parse(&format!(
        "{MINIMAL}[traps]\nlisten = [\"127.0.0.1:1162\", \"[::1]:1162\"]\ncommunities = [\"hush\"]\n\
         [[credentials]]\nname = \"c\"\nversion = \"3\"\nuser = \"platen\"\n"
    ))
    .unwrap();
    let listen: Vec<String> = (config.traps.listen.iter())
        .map(ToString::to_string)
        .collect();
    assert_eq!(listen, ["127.0.0.1:1162", "[::1]:1162"]);
    assert_eq!(config.traps.communities[0].reveal(), "hush");
    assert_eq!(config.traps.users[0].name, "platen");
    let error = error_of(&format!("{MINIMAL}[traps]\nlisten = [\"162\"]\n"));
    assert!(error.key.starts_with("traps.listen"), "{error}");
}

#[test]
fn a_range_may_be_asked_by_tcp_and_knows_where_its_addresses_are_asked() {
    let config = parse(&format!(
        "{MINIMAL}[[range]]\nname = \"r\"\ntransport = \"tcp\"\nexclude = [\"10.0.0.9\"]\n\
         include = [\"10.0.0.0/24\", \"10.0.0.7:1161\", \"fd00::/120\", \"printer.example.com\"]\n"
    ))
    .unwrap();
    let range = &config.ranges[0];
    assert_eq!(range.transport, Transport::Tcp);
    let places = |text: &str| -> Vec<String> {
        let places = range.places(text.parse().unwrap());
        places.map(|place| place.to_string()).collect()
    };
    assert_eq!(places("10.0.0.7"), ["10.0.0.7:161", "10.0.0.7:1161"]);
    assert_eq!(places("fd00::7"), ["[fd00::7]:161"]);
    for none in ["10.0.0.9", "10.0.1.7", "fd00::1:7"] {
        assert!(places(none).is_empty(), "{none}");
    }
}
