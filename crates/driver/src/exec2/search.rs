//! Where an `exec2` task's command is looked for.
use std::path::Path;

use sandbox::spec::{Candidate, Mount, Unexecutable};

use crate::lookup::{candidate, covering, distinct, locate};
use crate::lower::clean;

/// A path with a slash is itself, relative to the working directory; a bare name is looked for along `PATH`, whose relative
/// elements are passed over.
pub(super) fn candidates(
    command: &str,
    path: &str,
    cwd: &Path,
    mounts: &[Mount],
) -> Vec<Candidate> {
    if command.contains('/') {
        return located(&clean(&cwd.join(command)), mounts, Unexecutable::Refuse)
            .into_iter()
            .collect();
    }
    let directories = path
        .split(':')
        .map(Path::new)
        .filter(|directory| directory.is_absolute());
    distinct(directories.filter_map(|directory| {
        located(
            &clean(&directory.join(command)),
            mounts,
            Unexecutable::PassOver,
        )
    }))
}

/// Below a mount where that lies, else on the host. Nothing is made executable: `exec2` never did.
fn located(target: &Path, mounts: &[Mount], unexecutable: Unexecutable) -> Option<Candidate> {
    match covering(mounts, target) {
        Some(_) => locate(mounts, target).map(|_| candidate(target, unexecutable)),
        None => Some(candidate(target, unexecutable)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::host_path;
    use crate::lower::bind;

    fn found(command: &str, path: &str) -> Vec<String> {
        let mounts = [bind("/t/tmp", "/tmp"), bind("/t", "/m")];
        let show = |candidate: Candidate| {
            let host = host_path(&mounts, &candidate.target);
            format!("{} < {}", candidate.target.display(), host.display())
        };
        candidates(command, path, Path::new("/m"), &mounts)
            .into_iter()
            .map(show)
            .collect()
    }

    #[test]
    fn a_bare_name_is_looked_for_along_path() {
        assert_eq!(
            found("env", "/usr/bin:/bin:.:x::/usr/bin/"),
            ["/usr/bin/env < /usr/bin/env", "/bin/env < /bin/env"]
        );
        assert_eq!(
            found("x", "/m/local/bin"),
            ["/m/local/bin/x < /t/local/bin/x"]
        );
    }

    #[test]
    fn a_path_is_itself() {
        assert_eq!(
            found("/usr/bin/env", "/bin"),
            ["/usr/bin/env < /usr/bin/env"]
        );
        assert_eq!(
            found("local/script.sh", "/bin"),
            ["/m/local/script.sh < /t/local/script.sh"]
        );
        assert_eq!(found("./x", "/bin"), ["/m/x < /t/x"]);
        assert_eq!(found("/tmp/x", "/bin"), ["/tmp/x < /t/tmp/x"]);
    }
}
