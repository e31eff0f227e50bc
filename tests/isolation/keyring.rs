//! keyrings(7): a task reaches no key, neither its caller's nor its user's. That its session keyring is its own shows only without the filter:
//! `crates/driver/tests/life/keyring.rs`.
use suite::World;
use suite::need::{Need, require};

use crate::call::Call;
use crate::{DRIVERS, errnos};

const PERM: i32 = 1;

const NEEDS: &[Need] = &[
    Need::Root,
    Need::Cgroup,
    Need::DetachedMounts,
    Need::Landlock,
    Need::Cc,
];

/// keyctl(KEYCTL_GET_KEYRING_ID) of the keyrings of thread, process, session, user and user session, add_key, request_key.
const ATTEMPTS: [&str; 7] = [
    "64:250:0:-1:1",
    "64:250:0:-2:1",
    "64:250:0:-3:1",
    "64:250:0:-4:1",
    "64:250:0:-5:1",
    "64:248:0:0:0:0:-4",
    "64:249:0:0:0:-4",
];

#[test]
fn no_keyring_can_be_asked_for() {
    if !require(NEEDS) {
        return;
    }
    let (world, call) = (World::shared(), Call::install());
    for driver in DRIVERS {
        for user in [None, Some("root")] {
            let job = call.job(driver, &ATTEMPTS);
            let job = user.map_or(job.clone(), |user| job.user(user));
            let met = call.met(&world, &job);
            assert_eq!(met, [PERM; ATTEMPTS.len()], "{driver} {user:?}");
        }
    }
}

#[test]
fn the_list_of_keys_is_empty() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let job = world.job(driver, &["read", "/proc/keys"]).user("root");
        let outcome = world.run(&job).exited(0);
        let line = outcome.line();
        assert!(
            line["text"] == "" || line["ok"] == false,
            "{driver}: {outcome}"
        );
        assert_eq!(errnos(&world, &job).len(), 1);
    }
}
