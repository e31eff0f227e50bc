//! Whether the domain lets the command be executed at all: the command is not unveiled by being one, and the kernel's bare
//! "permission denied" would not say so.
use std::path::{Path, PathBuf};

use sandbox::Spec;
use sandbox::spec::{Access, Rule};

use crate::api::StartError;
use crate::lookup::host_path;

/// Refuses a command that exists and that no rule lets be executed, naming the entry to add.
pub(crate) fn check(spec: &Spec) -> Result<(), StartError> {
    let Some(landlock) = &spec.landlock else {
        return Ok(());
    };
    let first = spec
        .command
        .executable
        .candidates
        .iter()
        .find_map(|candidate| {
            let real = std::fs::canonicalize(host_path(candidate))
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
    use sandbox::spec::Missing;

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
