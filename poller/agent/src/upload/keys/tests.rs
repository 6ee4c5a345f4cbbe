//! The key file: what it holds after each step, and what a crash leaves.

use super::*;

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

fn enrolled(path: &Path) -> Secret {
    let mut file = KeyFile::default();
    let key = file.begin_enrolling("plt_enrol_x");
    file.enrolled(AgentId::new("werk").unwrap(), key.clone(), NOW);
    file.write(path).unwrap();
    key
}

fn opened(path: &Path) -> Keys {
    let configured = KeyFile::read(path).unwrap().unwrap();
    Keys::open(configured.key().unwrap(), Some(path)).unwrap()
}

#[test]
fn a_key_is_the_same_for_the_same_token_until_the_agent_has_enrolled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.key");
    assert!(KeyFile::read(&path).unwrap().is_none());
    let mut file = KeyFile::default();
    let key = file.begin_enrolling("plt_enrol_one");
    file.write(&path).unwrap();
    // The program ended here.
    let mut again = KeyFile::read(&path).unwrap().unwrap();
    assert!(again.key().is_none() && again.agent.is_none());
    assert!(again.begin_enrolling("plt_enrol_one") == key);
    assert!(
        again.begin_enrolling("plt_enrol_two") != key,
        "another token"
    );
    assert!(key.reveal().starts_with("plt_agent_") && key.reveal().len() == 53);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains("plt_enrol_one"),
        "the token is not kept: {text}"
    );
    assert_eq!(format!("{key:?}"), "(secret)");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.key");
    std::fs::write(folder.path().join("agent.key.new"), "left by a crash").unwrap();
    enrolled(&path);
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_next_key_is_on_disk_before_it_is_told_and_used_only_once_that_is_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.key");
    let first = enrolled(&path);
    let keys = opened(&path);
    let next = keys.prepare().unwrap().unwrap();
    assert!(keys.current() == first);
    assert!(
        keys.prepare().unwrap().unwrap() == next,
        "asked again, the same"
    );
    // The program ended after it had told the manager: the same key is told again.
    let keys = opened(&path);
    assert!(keys.current() == first && keys.others() == [next.clone()]);
    assert!(keys.prepare().unwrap().unwrap() == next);
    keys.take(&next, NOW).unwrap();
    assert!(keys.current() == next && keys.others() == [first.clone()]);
    let keys = opened(&path);
    assert!(keys.current() == next && keys.others() == [first]);
    assert!(keys.prepare().unwrap().unwrap() != next);
}

#[test]
fn what_enrol_writes_beside_a_running_agent_is_used_and_never_undone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.key");
    let first = enrolled(&path);
    // While the manager is told of the next key, and before it is.
    for is_prepared in [true, false] {
        let keys = opened(&path);
        let next = is_prepared.then(|| keys.prepare().unwrap().unwrap());
        let second = enrolled(&path);
        assert!(second != first);
        match next {
            Some(next) => keys.take(&next, NOW).unwrap(),
            None => assert!(keys.prepare().unwrap().is_none(), "it is not old"),
        }
        assert!(keys.current() == second && keys.others().is_empty());
        let on_disk = KeyFile::read(&path).unwrap().unwrap();
        assert!(on_disk.key() == Some(&second) && on_disk.next.is_none());
    }
    // An exchange that has begun beside it goes on after the agent has changed its key.
    let keys = opened(&path);
    let next = keys.prepare().unwrap().unwrap();
    let mut beside = KeyFile::read(&path).unwrap().unwrap();
    let begun = beside.begin_enrolling("plt_enrol_y");
    beside.write(&path).unwrap();
    keys.take(&next, NOW).unwrap();
    let mut on_disk = KeyFile::read(&path).unwrap().unwrap();
    assert!(on_disk.key() == Some(&next));
    assert!(on_disk.begin_enrolling("plt_enrol_y") == begun);

    // Another agent's key is neither used nor lost.
    let keys = opened(&path);
    let mut other = KeyFile::default();
    let key = other.begin_enrolling("plt_enrol_z");
    other.enrolled(AgentId::new("other").unwrap(), key.clone(), NOW);
    other.write(&path).unwrap();
    let refused = keys.prepare().err().unwrap().to_string();
    assert!(refused.contains("the agent other"), "{refused}");
    assert!(keys.take(&next, NOW).is_err() && keys.current() == next);
    assert!(KeyFile::read(&path).unwrap().unwrap().key() == Some(&key));
}

#[test]
fn a_key_file_may_have_any_ending() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one.new", "two", "three.key.new"] {
        let path = folder.path().join(name);
        let key = enrolled(&path);
        let before = KeyFile::read(&path).unwrap().unwrap();
        before.write(&path).unwrap();
        assert!(KeyFile::read(&path).unwrap().unwrap().key() == Some(&key));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn without_a_disk_the_present_key_stays_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/agent.key");
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let first = enrolled(&path);
    let keys = opened(&path);
    let next = keys.prepare().unwrap().unwrap();
    std::fs::remove_dir_all(folder.path().join("sub")).unwrap();
    assert!(keys.take(&next, NOW).is_err());
    assert!(keys.current() == first);
}

#[test]
fn a_key_of_the_configuration_is_never_changed() {
    let key = Secret::new("by hand".to_owned());
    let keys = Keys::open(&key, None).unwrap();
    assert!(keys.current() == key && keys.others().is_empty());
    assert!(keys.prepare().unwrap().is_none());
}

#[test]
fn a_file_that_is_something_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.key");
    for text in ["", "plt_agent_x", "{}", "{\"format\":2}"] {
        std::fs::write(&path, text).unwrap();
        let error = KeyFile::read(&path).err().unwrap().to_string();
        assert!(error.contains("agent.key"), "{error}");
    }
}
