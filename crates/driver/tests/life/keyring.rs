//! Session keyrings: looked at from inside, which takes a task without the filter that refuses keyctl(2).
use super::seccomp::{beside, sleeping};
use super::*;

/// Serial number and owner of the session keyring of a command beside the task.
fn keyring(task: &Task) -> (String, String) {
    let printed = beside(task, &["local/call", "keyring"]);
    let words: Vec<&str> = printed.split_whitespace().collect();
    let ["keyring", serial, owner] = words[..] else {
        panic!("{printed}");
    };
    (serial.to_owned(), owner.to_owned())
}

/// Of the session keyring of this process, or of the one that its user shares.
fn own(world: &World) -> String {
    let call = world.task.alloc_dir.join("web/local/call");
    let output = std::process::Command::new(call).arg("keyring").output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    printed.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn each_task_has_a_session_keyring_of_its_own_that_counts_against_root() {
    if !privileged() {
        return;
    }
    let off = [("seccomp", Value::Bool(false))];
    for kind in [Kind::Exec, Kind::Exec2] {
        let (world, first) = sleeping(kind, "keys1", &[], &off);
        let (_other, second) = sleeping(kind, "keys2", &[], &off);
        let [(one, owner), (two, _)] = [&first, &second].map(keyring);
        assert_eq!(owner, "0", "{kind:?}");
        assert_ne!(one, two, "{kind:?}");
        let own = own(&world);
        assert!(one != own && two != own, "{kind:?} has the caller's");
        first.destroy(true).unwrap();
        second.destroy(true).unwrap();
    }
}

#[test]
fn under_exec2_commands_share_the_tasks_keyring_and_under_exec_each_has_its_own() {
    if !privileged() {
        return;
    }
    let off = [("seccomp", Value::Bool(false))];
    for kind in [Kind::Exec, Kind::Exec2] {
        let (_world, task) = sleeping(kind, "shared", &[], &off);
        let (one, two) = (keyring(&task).0, keyring(&task).0);
        assert_eq!(one == two, kind == Kind::Exec2);
        task.destroy(true).unwrap();
    }
}
