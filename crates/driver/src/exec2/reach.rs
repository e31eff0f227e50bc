//! What the sandbox would refuse in the kernel's bare words, said in a job's: an entry whose path does not exist, and a command
//! that nothing lets be executed, since being the command does not unveil it.
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sandbox::Spec;
use sandbox::spec::{Access, Executable, Landlock, Missing, Mount, Rule, Source};

use crate::api::StartError;
use crate::lookup::{covering, host_path};
use crate::lower::{clean, value};
use crate::options::Value;
use crate::task_config::TaskConfig;

/// Refuses an entry of job or operator that names nothing. What the client hands over is not theirs to mend.
pub(crate) fn check_entries(spec: &Spec, task: &TaskConfig) -> Result<(), StartError> {
    let handed = handed(task);
    // Numbers in procfs are other processes inside.
    let of_a_process = |path: &Path| {
        let name = path
            .strip_prefix("/proc")
            .ok()
            .and_then(|rest| rest.iter().next());
        name.is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok())
    };
    let asked = |rule: &&Rule| rule.missing == Missing::Refuse && !of_a_process(&rule.path);
    let rules = spec.landlock.iter().flat_map(|landlock| &landlock.rules);
    let mut asked = rules
        .filter(asked)
        .filter(|rule| !handed.contains(&rule.path));
    let missing = asked.find_map(|rule| Some((&rule.path, rule.path.metadata().err()?)));
    missing.map_or(Ok(()), |(path, error)| {
        let message = match error.kind() {
            ErrorKind::NotFound => format!("unveil path {} does not exist", path.display()),
            _ => format!("unveil path {} leads nowhere: {error}", path.display()),
        };
        Err(value(asker(task, path), message))
    })
}

/// What the client has made or was asked for by other parts of the job.
fn handed(task: &TaskConfig) -> Vec<PathBuf> {
    let own = task.alloc_dir.join(&task.name);
    let own_directories = ["local", "secrets", "tmp"].map(|name| own.join(name));
    let volumes = task.mounts.iter().map(|volume| volume.host_path.clone());
    let devices = task.devices.iter().map(|device| device.host_path.clone());
    let pipes = [task.stdout_path.clone(), task.stderr_path.clone()];
    let shared = task.alloc_dir.join("alloc");
    [own, shared]
        .into_iter()
        .chain(own_directories)
        .chain(volumes)
        .chain(devices)
        .chain(pipes)
        .collect()
}

/// Whose path it is: the working directory's, or an entry's. An operator's has no place in the job, like one that is not found.
fn asker(task: &TaskConfig, path: &Path) -> &'static str {
    match task.driver_config.get("work_dir") {
        Some(Value::String(work_dir)) if Path::new(work_dir) == path => "work_dir",
        _ => "unveil",
    }
}

/// Refuses a working directory that is not there or is none. What a link leads to is only known inside.
pub(crate) fn check_work_dir(spec: &Spec, task: &TaskConfig) -> Result<(), StartError> {
    let Some(Value::String(asked)) = task.driver_config.get("work_dir") else {
        return Ok(());
    };
    let Some(host) = seen(&spec.mounts, &spec.command.cwd) else {
        return Ok(());
    };
    let refuse = |problem: &str| Err(value("work_dir", format!("work_dir {asked:?} {problem}")));
    match host.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => refuse("is not a directory"),
        Err(error) if error.kind() == ErrorKind::NotFound && plain(&host) => {
            refuse("does not exist when the task starts")
        }
        Err(_) => Ok(()),
    }
}

/// Whether no link is on the way to what is missing.
fn plain(missing: &Path) -> bool {
    let there = missing
        .ancestors()
        .find(|path| path.symlink_metadata().is_ok());
    there.is_some_and(|there| {
        there != missing && std::fs::canonicalize(there).is_ok_and(|real| real == there)
    })
}

/// Where on the host lies what is seen at this path inside; `None` where only the task will know.
fn seen(mounts: &[Mount], target: &Path) -> Option<PathBuf> {
    match covering(mounts, target).map(|mount| &mount.source) {
        None | Some(Source::Bind { .. }) => Some(host_path(mounts, target)),
        Some(_) => None,
    }
}

/// Refuses a command that is found relative to the working directory only because `PATH` says so, and one that exists and that no rule
/// lets be executed, naming the entry to add.
pub(crate) fn check_command(spec: &Spec) -> Result<(), StartError> {
    let executable = &spec.command.executable;
    if let Some(element) = relative_hit(spec) {
        return Err(StartError::NotFound(format!(
            "failed to locate command {name:?}: exec: {name:?}: cannot run executable found relative to current directory (by {element:?} in PATH); write command = \"./{name}\"",
            name = executable.name
        )));
    }
    let Some(landlock) = &spec.landlock else {
        return Ok(());
    };
    let first = executable.candidates.iter().find_map(|candidate| {
        let real = std::fs::canonicalize(seen(&spec.mounts, &candidate.target)?).ok()?;
        is_executable(&real).then_some((&candidate.target, real))
    });
    let Some((target, real)) = first else {
        return Ok(());
    };
    if !executes(&landlock.rules, &real) {
        return Err(StartError::NotExecutable(refusal(target, &real)));
    }
    check_interpreter(spec, landlock, target, &real)
}

/// A script needs its interpreter unveiled too.
fn check_interpreter(
    spec: &Spec,
    landlock: &Landlock,
    script: &Path,
    real: &Path,
) -> Result<(), StartError> {
    let interpreter = interpreter(real);
    // `/proc/self/exe` is our own program until it is executed.
    if let Some(named) = interpreter
        .as_ref()
        .filter(|named| clean(named).starts_with("/proc"))
    {
        return Err(StartError::NotExecutable(format!(
            "{}: its interpreter {} is a link of procfs; name the program itself",
            script.display(),
            named.display()
        )));
    }
    let interpreter = interpreter.and_then(|named| {
        let real = std::fs::canonicalize(seen(&spec.mounts, &named)?).ok()?;
        Some((named, real))
    });
    match interpreter {
        Some((named, real)) if !executes(&landlock.rules, &real) => {
            let refusal = refusal(&named, &real);
            let message = format!("{}: its interpreter {refusal}", script.display());
            Err(StartError::NotExecutable(message))
        }
        _ => Ok(()),
    }
}

/// The absolute path in the first line of a script.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut head = [0; 256];
    let read = std::fs::File::open(script).ok()?.read(&mut head).ok()?;
    let line = head[..read]
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = std::str::from_utf8(line).ok()?;
    let named = PathBuf::from(line.split_whitespace().next()?);
    named.is_absolute().then_some(named)
}

/// The first relative element of `PATH` that holds the command, unless an absolute one before it does. An empty one is `.`.
fn relative_hit(spec: &Spec) -> Option<&str> {
    let (name, command) = (&spec.command.executable.name, &spec.command);
    if name.contains('/') {
        return None;
    }
    let path = command.env.get("PATH")?;
    let hit = path.split(':').find(|element| {
        let target = clean(&command.cwd.join(element).join(name));
        seen(&spec.mounts, &target).is_some_and(|path| is_executable(&path))
    });
    hit.filter(|element| !element.starts_with('/'))
}

fn is_executable(path: &Path) -> bool {
    let executable = |found: std::fs::Metadata| found.is_file() && found.mode() & 0o111 != 0;
    path.metadata().is_ok_and(executable)
}

/// The original's words for a command that the sandbox has not found.
pub(crate) fn not_found(spec: &Spec) -> String {
    let Executable { name, candidates } = &spec.command.executable;
    let reason = match candidates.as_slice() {
        [only] if name.contains('/') => {
            format!("stat {}: no such file or directory", only.target.display())
        }
        _ => {
            let searched: Vec<_> = candidates
                .iter()
                .filter_map(|candidate| Some(candidate.target.parent()?.display().to_string()))
                .collect();
            let searched = match searched.as_slice() {
                [] => "it names no absolute directory".to_owned(),
                searched => format!("looked in {}", searched.join(", ")),
            };
            format!("executable file not found in $PATH ({searched})")
        }
    };
    format!("failed to locate command {name:?}: exec: {name:?}: {reason}")
}

/// The original's words for a command that it would not have executed; it had none for what the kernel then refuses.
pub(crate) fn not_executable(spec: &Spec, reason: &str) -> String {
    let name = &spec.command.executable.name;
    let first = spec.command.executable.candidates.first();
    let found = first.and_then(|candidate| seen(&spec.mounts, &candidate.target)?.metadata().ok());
    let words = match found {
        Some(found) if found.is_dir() => "is a directory",
        Some(found) if !found.is_file() || found.mode() & 0o111 == 0 => "permission denied",
        _ => return format!("task command failed: {reason}"),
    };
    format!("failed to locate command {name:?}: exec: {name:?}: {words}: {reason}")
}

/// What the kernel executes it opens for reading, and Landlock asks for both rights.
fn executes(rules: &[Rule], real: &Path) -> bool {
    let grants = |access: Access| {
        let covers = |rule: &&Rule| {
            let path = std::fs::canonicalize(&rule.path);
            path.is_ok_and(|path| real.starts_with(path))
        };
        let mut granting = rules
            .iter()
            .filter(|rule| rule.access.contains(access) && !rule.inside);
        granting.any(|rule| covers(&rule))
    };
    grants(Access::EXECUTE) && grants(Access::READ)
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
        let executes = |path, access| executes(&[rule(path, access)], &sh);
        let both = Access::EXECUTE | Access::READ;
        assert!(executes("/bin", both));
        assert!(executes("/", both));
        assert!(!executes("/bin", Access::EXECUTE));
        assert!(!executes("/bin", Access::READ));
        assert!(!executes("/etc", both));
        assert!(!executes("/missing", both));
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
