//! What the sandbox would refuse in the kernel's bare words, said in a job's: an entry whose path does not exist, and a command
//! that nothing lets be executed, since being the command does not unveil it.
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sandbox::Spec;
use sandbox::spec::{Access, Missing, Rule};

use crate::api::StartError;
use crate::lookup::host_path;
use crate::lower::value;
use crate::task_config::TaskConfig;

/// Refuses an entry of job or operator that names nothing. What the client hands over is not theirs to mend.
pub(crate) fn check_entries(spec: &Spec, task: &TaskConfig) -> Result<(), StartError> {
    let volumes = task
        .mounts
        .iter()
        .map(|volume| &volume.host_path)
        .chain(task.devices.iter().map(|device| &device.host_path));
    let handed: Vec<_> = volumes
        .chain([&task.stdout_path, &task.stderr_path])
        .collect();
    let asked = |rule: &&Rule| {
        rule.missing == Missing::Refuse && !rule.inside && !rule.path.starts_with(&task.alloc_dir)
    };
    let rules = spec.landlock.iter().flat_map(|landlock| &landlock.rules);
    let mut asked = rules
        .filter(asked)
        .filter(|rule| !handed.contains(&&rule.path));
    let missing = asked.find(|rule| {
        rule.path
            .metadata()
            .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    });
    missing.map_or(Ok(()), |rule| {
        Err(value(
            "unveil",
            format!("unveil path {} does not exist", rule.path.display()),
        ))
    })
}

/// Refuses a command that exists and that no rule lets be executed, naming the entry to add.
pub(crate) fn check_command(spec: &Spec) -> Result<(), StartError> {
    let Some(landlock) = &spec.landlock else {
        return Ok(());
    };
    let first = spec
        .command
        .executable
        .candidates
        .iter()
        .find_map(|candidate| {
            let real = std::fs::canonicalize(host_path(&spec.mounts, &candidate.target))
                .ok()
                .filter(|path| path.is_file())?;
            Some((&candidate.target, real))
        });
    let Some((target, real)) = first else {
        return Ok(());
    };
    if landlock.rules.iter().any(|rule| executes(rule, &real)) {
        return Ok(());
    }
    Err(StartError::NotExecutable(refusal(target, &real)))
}

fn executes(rule: &Rule, real: &Path) -> bool {
    let granted = rule.access.contains(Access::EXECUTE) && !rule.inside;
    granted && std::fs::canonicalize(&rule.path).is_ok_and(|path| real.starts_with(path))
}

fn refusal(target: &Path, real: &PathBuf) -> String {
    let leads = if target == real {
        String::new()
    } else {
        format!(" (it is {})", real.display())
    };
    format!(
        "{}{leads} is not unveiled for execution; add unveil = [\"rx:{}\"]",
        target.display(),
        real.display()
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn rule(path: &str, access: Access) -> Rule {
        Rule {
            path: path.into(),
            access,
            missing: Missing::Skip,
            inside: false,
        }
    }

    #[test]
    fn a_rule_reaches_what_lies_below_it_by_its_real_path() {
        let sh = std::fs::canonicalize("/bin/sh").unwrap();
        assert!(executes(&rule("/bin", Access::EXECUTE), &sh));
        assert!(executes(&rule("/", Access::EXECUTE), &sh));
        assert!(!executes(&rule("/bin", Access::READ), &sh));
        assert!(!executes(&rule("/etc", Access::EXECUTE), &sh));
        assert!(!executes(&rule("/missing", Access::EXECUTE), &sh));
    }

    #[test]
    fn the_refusal_names_the_entry_to_add() {
        let told = refusal(Path::new("/opt/java"), &"/opt/jdk/bin/java".into());
        assert_eq!(
            told,
            "/opt/java (it is /opt/jdk/bin/java) is not unveiled for execution; add unveil = [\"rx:/opt/jdk/bin/java\"]"
        );
    }
}
