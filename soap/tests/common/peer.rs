//! Programs of others that tests call, where they are installed.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Says that a peer is missing and lets the test end; with `PLATEN_PEERS=required`, fails it.
pub fn missing(peer: &str, how: &str) {
    let required = std::env::var("PLATEN_PEERS").is_ok_and(|value| value == "required");
    assert!(
        !required,
        "{peer} is missing, and PLATEN_PEERS=required: {how}"
    );
    eprintln!("skipped: {peer} is missing ({how})");
}

/// Whether a command runs and succeeds.
fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Where peers are installed that belong to no system's packages: outside the repository, so that they outlive a checkout.
fn cache() -> Option<PathBuf> {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
        .map(|cache| cache.join("platen-peers"))
}

/// A Python that has zeep: `PLATEN_ZEEP_PYTHON`, the peers' cache, or the system's.
pub fn python_with_zeep() -> Option<PathBuf> {
    let candidates = [
        std::env::var_os("PLATEN_ZEEP_PYTHON").map(PathBuf::from),
        cache().map(|cache| cache.join("python/bin/python")),
        Some(PathBuf::from("python3")),
    ];
    candidates
        .into_iter()
        .flatten()
        .find(|python| succeeds(Command::new(python).args(["-c", "import zeep"])))
}

/// The folder of modules from which node loads npm's soap.
pub fn node_modules_with_soap() -> Option<PathBuf> {
    let modules = cache()?.join("node/node_modules");
    succeeds(
        Command::new("node")
            .args(["-e", "require('soap')"])
            .env("NODE_PATH", &modules),
    )
    .then_some(modules)
}

/// A PHP that has SoapClient.
pub fn php_with_soap() -> Option<PathBuf> {
    let php = PathBuf::from("php");
    succeeds(Command::new(&php).args(["-r", "exit(class_exists('SoapClient') ? 0 : 1);"]))
        .then_some(php)
}

/// gSOAP's compilers, as far as they run.
pub fn has_gsoap() -> bool {
    // Both ask for input that is not there; that they start is all that counts.
    ["wsdl2h", "soapcpp2"]
        .iter()
        .all(|program| Command::new(program).arg("-V").output().is_ok())
}

/// libxml2's validator.
pub fn xmllint() -> Option<PathBuf> {
    let xmllint = PathBuf::from("xmllint");
    succeeds(Command::new(&xmllint).arg("--version")).then_some(xmllint)
}

/// What a client wrote, which must have succeeded.
pub fn lines_of(command: &mut Command) -> Vec<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{command:?} failed\n{stdout}\n{stderr}");
    stdout.lines().map(str::to_owned).collect()
}
