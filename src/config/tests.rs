//! What an operator gets to read when the configuration is wrong, and that the example is right.

use super::*;

fn problem(text: &str) -> String {
    PlatenConfig::parse(text, "platen.toml", Path::new("/etc/platen"))
        .unwrap_err()
        .to_string()
}

#[test]
fn the_example_is_accepted_and_explains_every_key() {
    let config = PlatenConfig::parse(EXAMPLE, "platen.example.toml", Path::new("/etc/platen"));
    assert_eq!(
        config.unwrap().web.listen,
        SocketAddr::from(([127, 0, 0, 1], 8000))
    );
    // Also the keys that the example shows commented out are keys that are accepted.
    for line in EXAMPLE.lines().filter_map(|line| line.strip_prefix("#: ")) {
        let key = line.split(" =").next().unwrap();
        let table = EXAMPLE[..EXAMPLE.find(line).unwrap()]
            .lines()
            .rev()
            .find_map(|line| {
                line.trim_start_matches("#: ")
                    .strip_prefix('[')?
                    .strip_suffix(']')
            });
        if line.starts_with('[') || table == Some("agent") {
            continue;
        }
        let text = format!("data = \"x\"\n[{}]\n{line}\n", table.unwrap_or("web"));
        let refused = PlatenConfig::parse(&text, "t", Path::new("/nowhere"))
            .err()
            .map(|e| e.to_string());
        assert!(
            !refused
                .as_ref()
                .is_some_and(|e| e.contains("unknown field")),
            "{key}: {refused:?}"
        );
    }
}

#[test]
fn an_unknown_key_is_an_error_that_names_its_line() {
    let problem = problem("data = \"x\"\n[web]\nlisten = \"127.0.0.1:1\"\nport = 3\n");
    assert!(
        problem.contains("line 4") && problem.contains("port"),
        "{problem}"
    );
}

#[test]
fn a_bad_value_is_an_error_that_names_line_key_and_what_is_accepted() {
    assert_eq!(
        problem("data = \"x\"\n\n[web]\nlisten = \"8000\"\n"),
        "platen.toml, line 4: web.listen: \"8000\" is not an address with a port, such as \"0.0.0.0:8443\""
    );
    assert_eq!(
        problem("data = \"x\"\n[store]\nmemory_mb = 3\n"),
        "platen.toml, line 3: store.memory_mb: 3 is not within 64 to 1048576"
    );
    assert_eq!(
        problem("data = \"x\"\n[web]\ntls_key = \"k.pem\"\n"),
        "platen.toml, line 3: web.tls_key: needs web.tls_certificate beside it"
    );
}

#[test]
fn relative_paths_are_taken_from_the_files_folder() {
    let config =
        PlatenConfig::parse("data = \"data\"", "platen.toml", Path::new("/etc/platen")).unwrap();
    assert_eq!(
        config.store_path(),
        Path::new("/etc/platen/data/store.duckdb")
    );
}

#[test]
fn client_certificates_need_tls_and_someone_who_signs_them() {
    let read = |lines: &str| {
        let text = format!("data = \"x\"\n{lines}\n");
        PlatenConfig::parse(&text, "platen.toml", Path::new("/etc/platen"))
            .map(|config| {
                (
                    config.web.tls.map(|tls| tls.clients),
                    config.agent_key_age_max,
                )
            })
            .map_err(|error| error.to_string())
    };
    let tls = "[web]\ntls_certificate = \"c\"\ntls_key = \"k\"";
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    assert_eq!(
        read(tls),
        Ok((Some(web::ClientCertificates::Off), days(90)))
    );
    let ca = PathBuf::from("/etc/platen/ca");
    for (word, clients) in [
        ("", web::ClientCertificates::Optional(ca.clone())),
        ("tls_clients = \"off\"", web::ClientCertificates::Off),
        (
            "tls_clients = \"optional\"",
            web::ClientCertificates::Optional(ca.clone()),
        ),
        (
            "tls_clients = \"required\"",
            web::ClientCertificates::Required(ca.clone()),
        ),
    ] {
        let read = read(&format!("{tls}\ntls_client_ca = \"ca\"\n{word}"));
        assert_eq!(read, Ok((Some(clients), days(90))), "{word}");
    }
    for (lines, said) in [
        ("[web]\ntls_client_ca = \"ca\"", "needs web.tls_certificate"),
        (
            &format!("{tls}\ntls_clients = \"required\""),
            "needs web.tls_client_ca",
        ),
        (
            &format!("{tls}\ntls_client_ca = \"ca\"\ntls_clients = \"yes\""),
            "none of",
        ),
        ("[agents]\nkey_days = 4000", "agents.key_days"),
    ] {
        let error = read(lines).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(read("[agents]\nkey_days = 0"), Ok((None, None)));
}
