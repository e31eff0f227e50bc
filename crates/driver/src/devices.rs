//! Which device nodes a task may open and make, whatever the file system shows it.
use cgroup::{DeviceAccess, DeviceKind, DeviceRule};
use sandbox::Spec;
use sandbox::spec::{Access, Rule};

use crate::api::{Kind, StartError};
use crate::lower::value;
use crate::nodes::{self, Named, Node};
use crate::start::host;
use crate::task_config::{Device, TaskConfig};

const RW: DeviceAccess = DeviceAccess::READ.union(DeviceAccess::WRITE);
const RWM: DeviceAccess = RW.union(DeviceAccess::MKNOD);

/// What every task may open, as in Nomad: null, zero, full, random, urandom, tty, the master and the slaves of pseudo-terminals, and tun
/// (`Documentation/admin-guide/devices.txt`).
const OPENED: [(u32, Option<u32>); 9] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(2)),
    (136, None),
    (10, Some(200)),
];

/// Everything that is allowed. What is not is refused by the kernel, also to a root that finds a node.
pub(crate) fn rules(
    kind: Kind,
    task: &TaskConfig,
    spec: &Spec,
) -> Result<Vec<DeviceRule>, StartError> {
    let mut rules = everybodys(kind);
    for device in &task.devices {
        rules.push(own(device)?);
    }
    let unveiled = spec.landlock.iter().flat_map(|landlock| &landlock.rules);
    rules.extend(unveiled.flat_map(granted));
    Ok(rules)
}

/// A task of `exec` may also make nodes, as in Nomad, though they work nowhere; in the domain of `exec2` none can be made.
fn everybodys(kind: Kind) -> Vec<DeviceRule> {
    let (access, made) = match kind {
        Kind::Exec => (RWM, [DeviceKind::Char, DeviceKind::Block].as_slice()),
        Kind::Exec2 => (RW, [].as_slice()),
    };
    let opened = OPENED.into_iter().map(|(major, minor)| DeviceRule {
        kind: DeviceKind::Char,
        major: Some(major),
        minor,
        access,
    });
    let made = made.iter().map(|kind| DeviceRule {
        kind: *kind,
        major: None,
        minor: None,
        access: DeviceAccess::MKNOD,
    });
    opened.chain(made).collect()
}

/// A device of the task's own, by the numbers that its node on the host has now.
fn own(device: &Device) -> Result<DeviceRule, StartError> {
    let path = device.host_path.display();
    let letters = &device.cgroup_permissions;
    let access = DeviceAccess::from_letters(letters).map_err(|letter| {
        let message = format!(
            "the device {path} has the permissions {letters:?}, and {letter:?} is none of r, w and m"
        );
        value("device", message)
    })?;
    match nodes::look(&device.host_path) {
        Ok(Named::Node(node)) => Ok(rule(node, access)),
        Ok(_) => Err(value("device", format!("{path} is not a device node"))),
        Err(errno) => Err(host(
            format!("look at the device {path}"),
            std::io::Error::from(errno),
        )),
    }
}

/// What an unveiled path lets be opened: the node that it names, or every node below a directory of `/dev`. A path that cannot be looked at grants
/// nothing, and the sandbox says what is wrong with it.
fn granted(unveiled: &Rule) -> Vec<DeviceRule> {
    let access = letters(unveiled.access);
    if access.is_empty() || unveiled.inside {
        return Vec::new();
    }
    let nodes = match nodes::look(&unveiled.path) {
        Ok(Named::Node(node)) => vec![node],
        Ok(Named::Directory) => nodes::below(&unveiled.path),
        Ok(Named::Other) | Err(_) => Vec::new(),
    };
    nodes.into_iter().map(|node| rule(node, access)).collect()
}

fn letters(access: Access) -> DeviceAccess {
    let reads = access.intersects(Access::READ | Access::READ_FILES_ONLY);
    let mut letters = DeviceAccess::empty();
    letters.set(DeviceAccess::READ, reads);
    letters.set(DeviceAccess::WRITE, access.contains(Access::WRITE));
    letters
}

fn rule(node: Node, access: DeviceAccess) -> DeviceRule {
    DeviceRule {
        kind: node.kind,
        major: Some(node.major),
        minor: Some(node.minor),
        access,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use sandbox::spec::Missing;

    fn texts(rules: &[DeviceRule]) -> Vec<String> {
        rules.iter().map(DeviceRule::to_string).collect()
    }

    fn device(host_path: &str, cgroup_permissions: &str) -> Device {
        Device {
            task_path: "/dev/x".into(),
            host_path: host_path.into(),
            cgroup_permissions: cgroup_permissions.into(),
        }
    }

    fn unveiled(path: &str, access: Access) -> Rule {
        Rule {
            path: path.into(),
            access,
            missing: Missing::Refuse,
            inside: false,
        }
    }

    #[test]
    fn exec_has_nomads_rules_and_exec2_the_same_without_making_nodes() {
        let exec = [
            "c 1:3 rwm",
            "c 1:5 rwm",
            "c 1:7 rwm",
            "c 1:8 rwm",
            "c 1:9 rwm",
            "c 5:0 rwm",
            "c 5:2 rwm",
            "c 136:* rwm",
            "c 10:200 rwm",
            "c *:* m",
            "b *:* m",
        ];
        assert_eq!(texts(&everybodys(Kind::Exec)), exec);
        let exec2: Vec<_> = exec[..9].iter().map(|rule| rule.replace('m', "")).collect();
        assert_eq!(texts(&everybodys(Kind::Exec2)), exec2);
    }

    #[test]
    fn a_device_of_the_tasks_own_has_the_numbers_of_the_hosts_node() {
        assert_eq!(
            own(&device("/dev/zero", "rm")).unwrap().to_string(),
            "c 1:5 rm"
        );
        assert!(own(&device("/dev/zero", "")).unwrap().access.is_empty());
    }

    #[test]
    fn what_is_no_device_and_what_is_no_letter_is_refused() {
        for (path, letters, told) in [
            ("/etc/passwd", "rwm", "/etc/passwd is not a device node"),
            ("/dev", "r", "/dev is not a device node"),
            (
                "/dev/zero",
                "rx",
                "the device /dev/zero has the permissions \"rx\", and 'x' is none of r, w and m",
            ),
            ("/dev/nowhere", "r", "look at the device /dev/nowhere"),
        ] {
            let error = own(&device(path, letters)).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn an_unveiled_node_is_allowed_with_its_letters() {
        let of = |path, access| texts(&granted(&unveiled(path, access)));
        assert_eq!(of("/dev/full", Access::READ | Access::IOCTL), ["c 1:7 r"]);
        assert_eq!(of("/dev/full", Access::WRITE | Access::CREATE), ["c 1:7 w"]);
        assert!(of("/dev/full", Access::EXECUTE).is_empty());
        assert!(of("/etc/passwd", Access::READ).is_empty());
        assert!(of("/etc", Access::READ).is_empty());
        assert!(of("/dev", Access::READ | Access::WRITE).contains(&"c 1:7 rw".to_owned()));
        assert!(of("/nowhere", Access::READ).is_empty());
    }

    #[test]
    fn what_is_looked_up_inside_is_not_the_hosts() {
        let inside = Rule {
            inside: true,
            ..unveiled("/dev/full", Access::READ)
        };
        assert!(granted(&inside).is_empty());
    }
}
