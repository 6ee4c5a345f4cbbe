//! `platen forget`: a customer of a stopped manager is forgotten, and a rebuild obeys.

mod common;

use codec::key::SpoolEpoch;
use common::{ManagerUnderTest, platen};

const EPOCH: SpoolEpoch = SpoolEpoch(9);
const REPORTS: u64 = 5;
/// The customer that every registry begins with, and his name.
const CUSTOMER: &str = "2";
const NAME: &str = "Default customer";

/// What `platen` prints, its errors included, to what is typed.
fn told(manager: &ManagerUnderTest, arguments: &[&str], typed: &str) -> (bool, String) {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = platen()
        .args(arguments)
        .arg("--config")
        .arg(&manager.config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut stdin = child.stdin.take().expect("it was piped");
    // A command that ends without reading it is well.
    let _ = stdin.write_all(typed.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn a_customer_of_a_stopped_manager_is_forgotten_by_his_name_and_stays_so_after_a_rebuild() {
    let manager = ManagerUnderTest::prepare();
    let running = manager.start();
    manager.deliver(EPOCH, 1, REPORTS);
    let (done, text) = told(&manager, &["forget", CUSTOMER], NAME);
    assert!(!done && text.contains("/tenants/2/forget"), "{text}");
    assert_eq!(running.interrupt(), Some(0));

    let (done, text) = told(&manager, &["forget", CUSTOMER, "--dry-run"], "");
    assert!(done && text.contains(NAME), "{text}");
    assert!(
        text.contains(&format!("{REPORTS} reports received")),
        "{text}"
    );
    let (done, text) = told(&manager, &["forget", CUSTOMER], "somebody else\n");
    assert!(!done && text.contains("nothing was deleted"), "{text}");
    let (_, before) = told(&manager, &["store", "check"], "");
    assert!(before.contains("\nrun\t") && !before.contains("\nrun\t0\n"));

    let (done, text) = told(&manager, &["forget", CUSTOMER], &format!("{NAME}\n"));
    assert!(done && text.contains("erased from every file"), "{text}");
    let (done, text) = told(&manager, &["forget", CUSTOMER], "");
    assert!(
        done && text.contains("erased from every file"),
        "again: {text}"
    );
    let (_, dumped) = told(&manager, &["journal", "dump"], "");
    assert!(dumped.contains("customer 2 forgotten by cli"), "{dumped}");
    let (_, tenants) = told(&manager, &["tenant", "list"], "");
    assert!(!tenants.contains(NAME), "{tenants}");
    for rebuilds in [false, true] {
        if rebuilds {
            let (done, text) = told(&manager, &["rebuild"], "");
            assert!(done, "{text}");
        }
        let (sound, after) = told(&manager, &["store", "check"], "");
        assert!(sound, "{after}");
        for table in ["device", "run", "report", "stream", "agent_heard"] {
            assert!(after.contains(&format!("{table}\t0\n")), "{table}: {after}");
        }
    }
}
