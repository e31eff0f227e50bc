//! The record of what Landlock restricts.
use driver::Enforced;

use super::*;

/// A handle keeps it, and so does whoever finds the task again.
#[test]
fn what_landlock_restricts_is_recorded_and_not_told_as_a_refusal() {
    quietly("record", &sh("sleep 600"), |world| {
        let task = world.start().unwrap();
        let again = driver(world.kind, &world.root)
            .recover(&task.handle())
            .unwrap();
        for task in [&task, &again] {
            let status = task.inspect().unwrap();
            assert!(
                !status.refusals.iter().any(|one| one.contains("Landlock")),
                "{:?}",
                status.refusals
            );
            let abi = sandbox::landlock::abi().filter(|_| world.kind == Kind::Exec2);
            assert_eq!(status.landlock.as_ref().map(|record| record.abi), abi);
            let told = status.attributes.get("landlock_abi").cloned();
            assert_eq!(told, abi.map(|abi| abi.to_string()));
            for feature in status.landlock.iter().flat_map(|record| &record.features) {
                let told = &status.attributes[&format!("landlock_{}", feature.name)];
                assert_eq!(*told, feature.enforced.to_string());
                let is_known = Some(feature.since) <= abi;
                assert_eq!(feature.enforced == Enforced::NotKnown, !is_known);
                let lacking = status
                    .lacking
                    .iter()
                    .any(|one| one.contains(feature.without()));
                assert_eq!(lacking, !is_known, "{} {:?}", feature.name, status.lacking);
            }
        }
        task.destroy(true).unwrap();
    });
}
