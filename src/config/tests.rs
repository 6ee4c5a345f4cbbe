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
