//! Files that are made for one task and lie in the place of the host's: resolver, hosts, host name.
use sandbox::spec::{Missing, Mount, MountFlags, Source};

use crate::api::StartError;
use crate::lower::Given;
use crate::network::network;
use crate::{hosts, resolver::Resolver};

/// As the host's are.
const MODE: u32 = 0o644;

/// Their mounts. They are the last: a volume over `/etc` does not take the task's resolver away, as in Nomad.
pub(crate) fn files(given: Given<'_>, resolver: &Resolver) -> Result<Vec<Mount>, StartError> {
    let task = given.task;
    let isolated = network(task)?.is_some();
    let name = hosts::hostname(task)?.map(|name| name + "\n");
    let files = [
        (
            "/etc/resolv.conf",
            resolver.file(task.dns.as_ref(), isolated)?,
            Missing::Refuse,
        ),
        ("/etc/hosts", hosts::file(task)?, Missing::Refuse),
        // Not every host has one, and uname(2) says it too.
        ("/etc/hostname", name, Missing::Skip),
    ];
    let mounts = files
        .into_iter()
        .filter_map(|(target, contents, missing)| Some(file(target, contents?, missing)));
    Ok(mounts.collect())
}

fn file(target: &str, contents: String, missing: Missing) -> Mount {
    let flags = MountFlags {
        read_only: true,
        nosuid: true,
        nodev: true,
        noexec: true,
        ..MountFlags::default()
    };
    Mount {
        target: target.into(),
        source: Source::File {
            contents,
            mode: MODE,
        },
        flags,
        missing,
    }
}
