//! Where an `exec` task's command is looked for.
use std::path::{Path, PathBuf};

use sandbox::spec::{Candidate, Mount, Unexecutable};

use crate::lookup::{candidate, distinct, locate};
use crate::lower::clean;
use crate::task_config;

/// The fixed search path below the root.
const BIN: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// The task's local directory, the root, every volume in the job's order, then the root's `bin` directories; an absolute
/// path is only looked for as such.
pub(crate) fn candidates(
    command: &str,
    volumes: &[task_config::Mount],
    mounts: &[Mount],
) -> Vec<Candidate> {
    let given = Path::new(command);
    let mut targets = vec![below("/local", command), clean(given)];
    if !given.is_absolute() {
        targets.extend(
            volumes
                .iter()
                .map(|volume| below(clean(Path::new(&volume.task_path)), command)),
        );
        targets.extend(BIN.iter().map(|directory| below(directory, command)));
    }
    distinct(targets.iter().map(|target| place(mounts, target)))
}

/// What nothing of the host's is mounted at is looked at all the same, so that the error names it; what is there, the task made.
fn place(mounts: &[Mount], target: &Path) -> Candidate {
    locate(mounts, target).unwrap_or_else(|| candidate(target, Unexecutable::Refuse))
}

/// `..` ends at the directory, as it does at a root.
fn below(directory: impl AsRef<Path>, command: &str) -> PathBuf {
    let rest = clean(Path::new(command));
    directory
        .as_ref()
        .join(rest.strip_prefix("/").unwrap_or(&rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::root::layer;
    use crate::lookup::host_path;
    use crate::lower::bind;

    fn found(command: &str) -> Vec<String> {
        let volumes = [task_config::Mount {
            task_path: "/srv".into(),
            host_path: "/m".into(),
            ..Default::default()
        }];
        let mounts = [
            layer("/bin", "/bin"),
            layer("/usr", "/usr"),
            layer("/opt/etc", "/etc"),
            bind("/t/local", "/local"),
            bind("/m", "/srv"),
        ];
        let show = |candidate: Candidate| {
            let host = host_path(&mounts, &candidate.target);
            format!("{} < {}", candidate.target.display(), host.display())
        };
        candidates(command, &volumes, &mounts)
            .into_iter()
            .map(show)
            .collect()
    }

    #[test]
    fn a_bare_name_is_looked_for_in_the_seeds_order() {
        assert_eq!(
            found("tmp4.txt"),
            [
                "/local/tmp4.txt < /t/local/tmp4.txt",
                "/tmp4.txt < /tmp4.txt",
                "/srv/tmp4.txt < /m/tmp4.txt",
                "/usr/local/bin/tmp4.txt < /usr/local/bin/tmp4.txt",
                "/usr/bin/tmp4.txt < /usr/bin/tmp4.txt",
                "/bin/tmp4.txt < /bin/tmp4.txt",
            ]
        );
    }

    #[test]
    fn an_absolute_path_is_itself_or_below_local() {
        assert_eq!(
            found("/bin/sh"),
            ["/local/bin/sh < /t/local/bin/sh", "/bin/sh < /bin/sh"]
        );
        assert_eq!(
            found("/srv/bar/tmp5.txt"),
            [
                "/local/srv/bar/tmp5.txt < /t/local/srv/bar/tmp5.txt",
                "/srv/bar/tmp5.txt < /m/bar/tmp5.txt"
            ]
        );
        assert_eq!(
            found("/local/foo/tmp3.txt")[1],
            "/local/foo/tmp3.txt < /t/local/foo/tmp3.txt"
        );
    }

    #[test]
    fn a_relative_path_is_looked_for_everywhere() {
        assert_eq!(
            found("local/tmp2.txt")[1],
            "/local/tmp2.txt < /t/local/tmp2.txt"
        );
        assert!(found("foo/x").contains(&"/srv/foo/x < /m/foo/x".to_owned()));
    }

    #[test]
    fn no_name_leaves_the_tree_it_is_looked_for_in() {
        assert_eq!(
            found("../../../../etc/shadow")[0],
            "/local/etc/shadow < /t/local/etc/shadow"
        );
        assert_eq!(
            found("../../../../etc/shadow")[1],
            "/etc/shadow < /opt/etc/shadow"
        );
        assert_eq!(found("/srv/../../x"), ["/local/x < /t/local/x", "/x < /x"]);
    }
}
