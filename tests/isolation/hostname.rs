//! The host name and what files say of it.
use suite::driven::KINDS;
use suite::need::require;
use suite::{Apart, Driven, World};

use crate::NEEDS;

#[test]
fn without_a_host_name_of_its_own_it_has_the_hosts() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for kind in KINDS {
        let facts = Driven::new(&world, kind, &[]).run().exited(0).line();
        assert_eq!(facts["hostname"], own.trim());
        assert_eq!(
            facts["namespaces"]["uts"],
            std::fs::read_link("/proc/self/ns/uts")
                .unwrap()
                .to_str()
                .unwrap()
        );
    }
}

#[test]
fn an_entered_command_runs_in_namespaces_apart() {
    if !require(NEEDS) {
        return;
    }
    Apart::Network.run(|world| {
        for kind in KINDS {
            let driven = Driven::new(world, kind, &["facts", ",", "sleep", "600"]);
            let task = driven.start();
            task.wait_for_stdout("hostname");
            let inner = task.enter(&[world.probe(), "say", "hello"]).exited(0);
            assert_eq!(inner.stdout, "hello\n");
            assert_eq!(task.stop().code, Some(137));
        }
    });
}
