//! SNMP over TCP (RFC 3430) and over IPv6: ranges that say so, against the small printer and against net-snmp.

mod printer;
mod support;

use std::process::{Command, Stdio};

use codec::key::Stream;
use printer::Printer;
use support::{
    Manager, Running, free_udp_port, has_peer, newest, start_agent, wait_until, write_config,
};

#[test]
fn a_range_that_is_asked_by_tcp_is_asked_by_nothing_else() {
    let printer = Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    let range = printer.address.to_string();
    let config = write_config(folder.path(), &url, &range, "transport = \"tcp\"\n");
    let _agent = start_agent(&config);
    manager.wait_for("three reports of meters", |got| {
        let meters = got
            .reports
            .keys()
            .filter(|(stream, _)| *stream == Stream::Meters);
        meters.count() >= 3
    });
    let [by_udp, by_tcp] = printer.state.lock().unwrap().answers;
    assert!(
        by_udp == 0 && by_tcp > 5,
        "{by_udp} by UDP, {by_tcp} by TCP"
    );
}

#[test]
fn a_range_of_ipv6_addresses_is_swept_and_polled() {
    // A machine without IPv6 has nothing to test here.
    let Ok(socket) = std::net::UdpSocket::bind("[::1]:0") else {
        println!("skipped: no IPv6 on loopback");
        return;
    };
    let printer = Printer::start_on(socket, &[]);
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    // ::, ::1, ::2 and ::3; the others are silent or nowhere.
    let range = format!("[::/126]:{}", printer.address.port());
    let config = write_config(
        folder.path(),
        &url,
        &range,
        "exclude = [\"::2\", \"::3\"]\n",
    );
    let _agent = start_agent(&config);
    manager.wait_for("a report", |got| newest(got, Stream::Meters).is_some());
    let got = manager.got.lock().unwrap();
    let device = &newest(&got, Stream::Meters).unwrap().devices[0];
    let shown = format!("[::1]:{}", printer.address.port());
    assert_eq!(device.identity.address, Some(shown));
}

#[test]
fn snmpd_answers_by_tcp_over_ipv4_and_ipv6_with_version_3() {
    if !has_peer("snmpd") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_udp_port();
    // A printer as far as the agent asks: hrDeviceType of a row of its own is told by a script that answers for the subtree.
    let conf = folder.path().join("snmpd.conf");
    let lines = [
        "createUser platen SHA-256 \"authentic-secret\" AES \"private-secret\"",
        "rouser platen priv",
        "override -rw 1.3.6.1.2.1.43.5.1.1.17.1 octet_str \"TCP7654321\"",
        "override -rw 1.3.6.1.2.1.43.5.1.1.1.1 integer 7",
        "override -rw 1.3.6.1.2.1.43.10.2.1.4.1.1 integer 4711",
        "override -rw 1.3.6.1.2.1.43.10.2.1.3.1.1 integer 7",
    ];
    std::fs::write(&conf, lines.join("\n") + "\n").unwrap();
    let running = Command::new("snmpd")
        .args(["-f", "-C", "-LF", "0", "/dev/null", "-c"])
        .arg(&conf)
        .args([
            format!("tcp:127.0.0.1:{port}"),
            format!("tcp6:[::1]:{port}"),
        ])
        .env(
            "PATH",
            format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()),
        )
        .env("SNMP_PERSISTENT_DIR", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _snmpd = Running(running.unwrap());
    wait_until("snmpd listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let has_ipv6 = std::net::TcpStream::connect(("::1", port)).is_ok();
    let addresses = [("127.0.0.1", true), ("[::1]", has_ipv6)];
    for (address, _) in addresses.iter().filter(|(_, is_there)| *is_there) {
        let manager = Manager::start();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://{}", manager.address);
        let more = "transport = \"tcp\"\ncredentials = [\"secure\"]\n[[credentials]]\nname = \"secure\"\nversion = \"3\"\n\
            user = \"platen\"\nauthentication = \"sha256\"\nauthentication_password = \"authentic-secret\"\n\
            privacy = \"aes128\"\nprivacy_password = \"private-secret\"\n";
        let config = write_config(folder.path(), &url, &format!("{address}:{port}"), more);
        let _agent = start_agent(&config);
        manager.wait_for("a report of meters", |got| {
            newest(got, Stream::Meters).is_some()
        });
        let got = manager.got.lock().unwrap();
        let device = &newest(&got, Stream::Meters).unwrap().devices[0];
        assert_eq!(
            device.identity.serial.as_deref(),
            Some("TCP7654321"),
            "{address}"
        );
        assert_eq!(device.meters.read().unwrap()[0].value, 4711, "{address}");
    }
}
