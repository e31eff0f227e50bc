//! Who we are and what the kernel has.
use rustix::mount::{FsOpenFlags, fsopen};

use super::Finding;

/// `exec` runs as this user when a task names none.
const NOBODY: &str = "nobody";
/// What a launcher cannot do without, by number (capabilities(7)).
const NEEDED: [(u32, &str); 9] = [
    (0, "CAP_CHOWN"),
    (1, "CAP_DAC_OVERRIDE"),
    (5, "CAP_KILL"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (8, "CAP_SETPCAP"),
    (18, "CAP_SYS_CHROOT"),
    (19, "CAP_SYS_PTRACE"),
    (21, "CAP_SYS_ADMIN"),
];
const SYS_RESOURCE: u32 = 24;

pub(super) fn look() -> Vec<Finding> {
    let mut findings = vec![kernel(), root()];
    findings.extend(capabilities());
    findings.extend(overlay());
    findings.extend(nobody());
    findings
}

fn kernel() -> Finding {
    let uname = rustix::system::uname();
    Finding::fine(
        "kernel",
        format!("kernel {}", uname.release().to_string_lossy()),
    )
}

fn root() -> Finding {
    let uid = rustix::process::geteuid();
    if uid.is_root() {
        Finding::fine("root", "running as root")
    } else {
        Finding::failure("root", format!("running as uid {}", uid.as_raw()))
            .way_out("both drivers need root: sudo encamp doctor")
    }
}

fn capabilities() -> Option<Finding> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))?;
    Some(of_bounding(u64::from_str_radix(line.trim(), 16).ok()?))
}

/// Root in a container has fewer than root.
fn of_bounding(set: u64) -> Finding {
    let has = |number: u32| set & (1 << number) != 0;
    let missing: Vec<_> = NEEDED
        .iter()
        .filter(|(number, _)| !has(*number))
        .map(|(_, name)| *name)
        .collect();
    if !missing.is_empty() {
        return Finding::failure(
            "capabilities",
            format!(
                "this root may never have {}: tasks cannot be isolated",
                missing.join(", ")
            ),
        )
        .way_out("run encamp on the host, or give the container these capabilities");
    }
    if has(SYS_RESOURCE) {
        return Finding::fine("capabilities", "the capabilities that launching needs");
    }
    Finding::warning(
        "capabilities",
        "no CAP_SYS_RESOURCE: oom_score_adj cannot be lowered, nor hard limits raised",
    )
}

/// Opening one loads the module where it is not there yet; nothing is mounted.
fn overlay() -> Option<Finding> {
    Some(match fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC) {
        Ok(_) => Finding::fine(
            "overlayfs",
            "overlayfs: exec's root is writable and never reaches the host",
        ),
        // Only root can ask.
        Err(rustix::io::Errno::PERM) => return None,
        Err(error) => Finding::warning(
            "overlayfs",
            format!("no overlayfs ({error}): the host's directories are read-only in exec's root"),
        )
        .way_out("load the module: modprobe overlay"),
    })
}

fn nobody() -> Option<Finding> {
    driver::users::by_name(NOBODY).err().map(|_| {
        Finding::failure(
            "nobody",
            "there is no user \"nobody\", as whom exec runs tasks without `user`",
        )
        .way_out("useradd --system --no-create-home nobody")
    })
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_root_without_sys_admin_can_isolate_nothing() {
        let found = of_bounding(!(1 << 21));
        assert_eq!(found.level, Level::Failure);
        assert!(found.text.contains("CAP_SYS_ADMIN"), "{}", found.text);
    }

    #[test]
    fn a_root_without_sys_resource_is_warned_of() {
        assert_eq!(of_bounding(u64::MAX).level, Level::Fine);
        assert_eq!(of_bounding(!(1 << SYS_RESOURCE)).level, Level::Warning);
    }
}
