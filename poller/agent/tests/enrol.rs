//! `platen-agent enrol` as a newcomer uses it: a token, and then an agent that can run.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use support::platen_agent;

/// A manager that takes one token for whatever key, and says which requests it saw.
fn manager() -> SocketAddr {
    manager_on(TcpListener::bind("127.0.0.1:0").unwrap())
}

fn manager_on(listener: TcpListener) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            let mut length = 0;
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let is_enrol = line.starts_with("POST /v1/enrol ");
            while line.trim() != "" {
                line.clear();
                reader.read_line(&mut line).unwrap();
                if let Some((name, value)) = line.trim().split_once(": ")
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let wish: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let (status, answer) = if is_enrol && wish["token"] == "plt_enrol_good" {
                let hash = &wish["key_hash"];
                (
                    200,
                    serde_json::json!({ "agent": "werk-2", "name": "Werk 2", "key_hash": hash }),
                )
            } else {
                let detail = "this enrolment token expired: make another one";
                (
                    410,
                    serde_json::json!({ "reason": "expired", "detail": detail }),
                )
            };
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            let _ = socket.write_all((head + &answer).as_bytes());
        }
    });
    address
}

fn run(folder: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = platen_agent()
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_newcomer_has_a_key_and_a_configuration_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let url = format!("http://{}", manager());
    let enrol = |token: &str| run(folder, &["enrol", "--manager", &url, "--token", token]);
    let (is_done, _, said) = enrol("plt_enrol_late");
    assert!(
        !is_done && said.contains("the manager refuses: this enrolment token expired"),
        "{said}"
    );
    assert!(!folder.join("agent.toml").exists());

    let (is_done, _, said) = enrol("plt_enrol_good");
    assert!(is_done, "{said}");
    assert!(
        said.contains("the agent werk-2 now") && said.contains("[[range]]"),
        "{said}"
    );
    let config = std::fs::read_to_string(folder.join("agent.toml")).unwrap();
    for line in [
        &format!("url = \"{url}\""),
        "agent_id = \"werk-2\"",
        "key_file = \"agent.key\"",
    ] {
        assert!(config.lines().any(|l| l == line), "{line} in {config}");
    }
    assert!(!config.contains("plt_"), "no secret stands in it");
    let (is_right, _, said) = run(folder, &["run", "--check"]);
    assert!(is_right, "{said}");

    // Once more, for a new key: the configuration stays as it is, and needs nothing.
    std::fs::write(folder.join("agent.toml"), format!("{config}# mine\n")).unwrap();
    let before = std::fs::read(folder.join("agent.key")).unwrap();
    let (is_done, printed, said) = run(folder, &["enrol", "--token", "plt_enrol_good"]);
    assert!(is_done && printed.is_empty(), "{printed}{said}");
    assert_ne!(std::fs::read(folder.join("agent.key")).unwrap(), before);
    let config = std::fs::read_to_string(folder.join("agent.toml")).unwrap();
    assert!(config.ends_with("# mine\n"));
}

/// A proxy on this listener: a tunnel to whatever is wanted, and the heads of the requests for one.
fn proxy(listener: TcpListener) -> std::sync::mpsc::Receiver<String> {
    let (said, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let place = head.split(' ').nth(1).unwrap().to_owned();
            let _ = said.send(head);
            let Ok(mut to) = TcpStream::connect(place) else {
                continue;
            };
            socket
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .unwrap();
            let (mut back, mut from) = (to.try_clone().unwrap(), socket);
            let mut forth = from.try_clone().unwrap();
            std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    heard
}

#[test]
fn a_newcomer_enrols_through_a_proxy_and_with_a_manager_that_are_addresses_of_ipv6() {
    let (Ok(at), Ok(manager_at)) = (TcpListener::bind("[::1]:0"), TcpListener::bind("[::1]:0"))
    else {
        println!("skipped: no IPv6 on loopback");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (address, manager) = (at.local_addr().unwrap(), manager_on(manager_at));
    let heard = proxy(at);
    let (url, via) = (format!("http://{manager}"), format!("http://{address}"));
    assert!(url.starts_with("http://[::1]:") && via.starts_with("http://[::1]:"));
    let wish = [
        "enrol",
        "--manager",
        &url,
        "--proxy",
        &via,
        "--token",
        "plt_enrol_good",
    ];
    let (is_done, _, said) = run(folder.path(), &wish);
    assert!(is_done, "{said}");
    let head = heard.try_recv().unwrap();
    assert!(
        head.starts_with(&format!("CONNECT {manager} HTTP/1.1\r\n")),
        "{head}"
    );
    assert!(head.contains(&format!("\r\nHost: {manager}\r\n")), "{head}");
    let config = std::fs::read_to_string(folder.path().join("agent.toml")).unwrap();
    for line in [format!("url = \"{url}\""), format!("url = \"{via}\"")] {
        assert!(config.lines().any(|l| l == line), "{line} in {config}");
    }
    let (is_right, _, said) = run(folder.path(), &["run", "--check"]);
    assert!(is_right, "{said}");
}

#[test]
fn a_configuration_of_ones_own_is_left_alone_and_told_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let url = format!("http://{}", manager());
    let own = format!(
        "[manager]\nurl = \"{url}\"\nagent_id = \"old\"\ntoken = \"plt_agent_x\"\n[spool]\ndirectory = \"spool\"\n"
    );
    std::fs::write(folder.join("agent.toml"), &own).unwrap();
    let (is_done, printed, said) = run(folder, &["enrol", "--token", "plt_enrol_good"]);
    assert!(is_done && said.contains("is as it was"), "{said}");
    assert_eq!(printed, "agent_id = \"werk-2\"\nkey_file = \"agent.key\"\n");
    let now = std::fs::read_to_string(folder.join("agent.toml")).unwrap();
    assert_eq!(now, own);
    let elsewhere = ["enrol", "--manager", "http://127.0.0.1:1", "--token", "x"];
    let (is_done, _, said) = run(folder, &elsewhere);
    assert!(
        !is_done && said.contains("correct one of the two"),
        "{said}"
    );

    // With the printed lines instead of its own it is accepted; for another agent's name the key is not.
    let lines = own.replace("agent_id = \"old\"\ntoken = \"plt_agent_x\"\n", &printed);
    std::fs::write(folder.join("agent.toml"), &lines).unwrap();
    let (is_right, _, said) = run(folder, &["run", "--check"]);
    assert!(is_right, "{said}");
    std::fs::write(folder.join("agent.toml"), lines.replace("werk-2", "werk-3")).unwrap();
    let (is_right, _, said) = run(folder, &["run", "--check"]);
    assert!(
        !is_right && said.contains("the key is that of the agent werk-2"),
        "{said}"
    );
}

#[test]
fn the_key_of_another_agent_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let url = format!("http://{}", manager());
    let enrol = |config: &str| {
        let arguments = ["enrol", "--manager", &url, "--token", "plt_enrol_good"];
        run(folder, &[&arguments[..], &["--config", config]].concat())
    };
    let (is_done, _, said) = enrol("a.toml");
    assert!(is_done, "{said}");
    let first = std::fs::read(folder.join("a.key")).unwrap();
    // Another one in the same folder has a key file of its own.
    let (is_done, _, said) = enrol("b.toml");
    assert!(is_done, "{said}");
    assert_eq!(std::fs::read(folder.join("a.key")).unwrap(), first);
    let text = std::fs::read_to_string(folder.join("b.toml")).unwrap();
    assert!(text.contains("key_file = \"b.key\""), "{text}");

    // For another agent, or without a configuration, the file is refused before anything is sent.
    std::fs::write(
        folder.join("a.toml"),
        text.replace("werk-2", "werk-3").replace("b.key", "a.key"),
    )
    .unwrap();
    std::fs::write(folder.join("c.key"), &first).unwrap();
    for (config, why) in [("a.toml", "is for werk-3"), ("c.toml", "no configuration")] {
        let (is_done, _, said) = enrol(config);
        assert!(
            !is_done && said.contains("holds the key of the agent werk-2") && said.contains(why),
            "{said}"
        );
    }
    // A token that turns out to be another agent's leaves the key, and its own key is not lost.
    let other = String::from_utf8(first.clone())
        .unwrap()
        .replace("werk-2", "werk-3");
    std::fs::write(folder.join("a.key"), &other).unwrap();
    let (is_done, _, said) = enrol("a.toml");
    assert!(!is_done && said.contains("werk-2.enrolled.key"), "{said}");
    let kept = std::fs::read_to_string(folder.join("werk-2.enrolled.key")).unwrap();
    assert!(kept.contains("\"werk-2\""), "{kept}");
    let now: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("a.key")).unwrap()).unwrap();
    let before: serde_json::Value = serde_json::from_str(&other).unwrap();
    assert_eq!(
        (&now["agent"], &now["key"]),
        (&before["agent"], &before["key"])
    );
}

#[test]
fn what_is_missing_or_insecure_is_said_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (arguments, said) in [
        (&["enrol", "--token", "x"][..], "--manager URL is missing"),
        (
            &["enrol", "--manager", "http://192.0.2.1", "--token", "x"],
            "unencrypted",
        ),
        (
            &["enrol", "--manager", "192.0.2.1", "--token", "x"],
            "neither https nor http",
        ),
        (&["enrol", "--manager", "https://192.0.2.1"], "--token"),
        (&["enrol", "--token", "x", "--proxy", "proxy"], "HOST:PORT"),
    ] {
        let (is_done, _, error) = run(folder, arguments);
        assert!(!is_done && error.contains(said), "{arguments:?}: {error}");
    }
    assert_eq!(
        std::fs::read_dir(folder).unwrap().count(),
        0,
        "nothing was written"
    );
}
