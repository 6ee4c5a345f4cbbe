//! Device profiles that change under a running agent, and a device that is swapped for another one.

mod printer;
mod support;

use std::path::Path;

use codec::key::Stream;
use codec::model::{Basis, Report};
use printer::Printer;
use support::{
    Got, Manager, newest, platen_agent, start_agent, status_of, wait_until, write_config,
};

/// The value of the meter for billing, and where it was read, in the newest report of meters.
fn billed(got: &Got) -> Option<(u64, String)> {
    let meters = newest(got, Stream::Meters)?.devices[0].meters.read()?;
    let billing = meters.iter().find(|meter| meter.basis == Basis::Billing)?;
    Some((billing.value, billing.oid.clone()))
}

fn write_profile(folder: &Path, version: u32, more: &str) {
    let text = format!(
        "name = \"example\"\nversion = {version}\n\n[[match]]\nobject_id = \"1.3.6.1.4.1.99999\"\n\n\
         [[meter]]\nwork = \"total\"\nfrom = \"1.3.6.1.4.1.99999.7.1.0\"\n{more}"
    );
    std::fs::write(folder.join("example.toml"), text).unwrap();
}

/// An agent with a folder of profiles, and with meters and all else read once in hours.
fn configure(folder: &Path, manager: &Manager, printer: &Printer) -> std::path::PathBuf {
    let url = format!("http://{}", manager.address);
    let config = write_config(folder, &url, &printer.address.to_string(), "");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text
        .replace(
            "[polling]\n",
            "[polling]\nprofiles_directory = \"profiles\"\n",
        )
        .replace(
            "supplies = \"1 s\"\nmeters = \"1 s\"",
            "supplies = \"1d\"\nmeters = \"1d\"",
        );
    std::fs::write(&config, text).unwrap();
    std::fs::create_dir(folder.join("profiles")).unwrap();
    config
}

#[test]
fn a_profile_that_comes_changes_breaks_and_goes_is_taken_without_a_restart() {
    let printer = Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), &manager, &printer);
    let profiles = folder.path().join("profiles");
    let _agent = start_agent(&config);
    manager.wait_for("a report", |got| newest(got, Stream::Meters).is_some());
    assert_eq!(
        billed(&manager.got.lock().unwrap()),
        None,
        "no profile knows it"
    );

    write_profile(&profiles, 1, "");
    let at = |oid: &str| format!("1.3.6.1.4.1.99999.7.{oid}.0");
    manager.wait_for("the meter of the new profile", |got| {
        billed(got) == Some((1007, at("1")))
    });

    // The same version with another content is another profile all the same.
    let path = profiles.join("example.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("7.1.0", "7.2.0")).unwrap();
    manager.wait_for("the meter of the changed profile", |got| {
        billed(got) == Some((500, at("2")))
    });

    std::fs::write(
        &path,
        "name = \"example\"\nversion = 3\n[[meter]]\nwork = \"tea\"\n",
    )
    .unwrap();
    wait_until("the broken file is named", || {
        let error = status_of(&config).and_then(|status| status.profiles_error);
        error.is_some_and(|error| error.contains("example.toml:4: ") && error.contains("tea"))
    });
    let said = platen_agent()
        .args(["status", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("example.toml:4: "), "{said}");
    let log = std::fs::read_to_string(config.with_file_name("agent.log")).unwrap();
    assert!(log.contains("example.toml:4: "), "{log}");
    // What was in force stays so: a page more is read as before.
    printer
        .pages
        .fetch_add(2, std::sync::atomic::Ordering::Relaxed);
    manager.wait_for("the meter of the profile in force", |got| {
        billed(got) == Some((501, at("2")))
    });

    std::fs::remove_file(&path).unwrap();
    manager.wait_for("the meters without the profile", |got| {
        billed(got).is_none()
    });
    wait_until("nothing is wrong any more", || {
        status_of(&config).is_some_and(|status| status.profiles_error.is_none())
    });
}

#[test]
#[cfg(unix)]
fn a_hangup_has_the_profiles_read_at_once_and_stops_nothing() {
    let printer = Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), &manager, &printer);
    let agent = start_agent(&config);
    manager.wait_for("a report", |got| newest(got, Stream::Meters).is_some());
    let hang_up = || {
        let kill = std::process::Command::new("kill");
        let status = { kill }.args(["-HUP", &agent.0.id().to_string()]).status();
        assert!(status.unwrap().success());
    };
    hang_up();
    wait_until("the profiles were read", || {
        let log = std::fs::read_to_string(config.with_file_name("agent.log")).unwrap();
        log.contains("profiles were read anew")
    });
    write_profile(&folder.path().join("profiles"), 1, "");
    hang_up();
    manager.wait_for("the meter of the profile", |got| billed(got).is_some());
}

#[test]
fn a_device_that_is_swapped_for_another_is_learned_anew_and_gets_none_of_the_values() {
    let printer = Printer::start();
    let manager = Manager::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.address);
    let config = write_config(folder.path(), &url, &printer.address.to_string(), "");
    let _agent = start_agent(&config);
    manager.wait_for("the first count", |got| {
        newest(got, Stream::Meters).is_some()
    });
    {
        // Both at once: the new device has counted less.
        let mut state = printer.state.lock().unwrap();
        printer
            .pages
            .store(12, std::sync::atomic::Ordering::Relaxed);
        state.serial = "XYZ7654321".to_owned();
        state.level = 90;
    }
    let is_new =
        |report: &Report| report.devices[0].identity.serial.as_deref() == Some("XYZ7654321");
    manager.wait_for("the other device", |got| {
        Stream::ALL
            .iter()
            .all(|stream| newest(got, *stream).is_some_and(is_new))
    });
    let got = manager.got.lock().unwrap();
    let mut handles = std::collections::BTreeMap::new();
    for device in got.reports.values().flat_map(|(_, report)| &report.devices) {
        let serial = device.identity.serial.clone().unwrap();
        let handle = handles
            .entry(serial.clone())
            .or_insert_with(|| device.handle.clone());
        assert_eq!(*handle, device.handle, "{serial}");
        let (pages, level) = match serial.as_str() {
            "ABC1234567" => (1000, 40),
            _ => (12, 90),
        };
        if let Some(meters) = device.meters.read() {
            assert_eq!(meters[0].value, pages, "{serial}");
        }
        if let Some(supplies) = device.supplies.read() {
            assert_eq!(supplies[0].percent(), Some(level), "{serial}");
        }
    }
    assert_eq!(handles.len(), 2);
    assert_ne!(handles["ABC1234567"], handles["XYZ7654321"]);
}
