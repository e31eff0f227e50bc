//! Capabilities in job words: names, lists, and what each driver makes of them.
use sandbox::spec::{Capabilities, CapabilitySet};

/// Names without `cap_`, by number (capabilities(7), linux/capability.h).
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// Nomad's basis: Docker's default without NET_RAW. Bit n is capability n.
pub(crate) const NOMAD_DEFAULTS: CapabilitySet = CapabilitySet(0xa804_05fb);

/// The capabilities of the running kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Supported(CapabilitySet);

/// Names that are no capability of this kernel, lower case, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) Vec<String>);

impl Supported {
    /// Everything up to and including `last`.
    pub(crate) fn up_to(last: u8) -> Supported {
        let last = usize::from(last).min(NAMES.len() - 1);
        Supported(CapabilitySet((1 << (last + 1)) - 1))
    }

    /// By `/proc/sys/kernel/cap_last_cap`; every known one when that cannot be read.
    pub(crate) fn of_this_kernel() -> Supported {
        let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").ok();
        Supported::up_to(
            last.and_then(|text| text.trim().parse().ok())
                .unwrap_or(u8::MAX),
        )
    }

    /// The set that a list names; `all` is everything supported, empty names are nothing.
    pub(crate) fn parse(self, names: &[String]) -> Result<CapabilitySet, Unsupported> {
        let mut set = 0;
        let mut unsupported = Vec::new();
        for name in names
            .iter()
            .map(|name| normalise(name))
            .filter(|name| !name.is_empty())
        {
            match number(&name) {
                _ if name == "all" => set |= self.0.0,
                Some(number) if self.0.0 & (1 << number) != 0 => set |= 1 << number,
                _ => unsupported.push(name),
            }
        }
        unsupported.sort();
        unsupported.dedup();
        if unsupported.is_empty() {
            Ok(CapabilitySet(set))
        } else {
            Err(Unsupported(unsupported))
        }
    }
}

/// Trimmed, lower case, without `cap_`.
pub(crate) fn normalise(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.strip_prefix("cap_").map(str::to_owned).unwrap_or(name)
}

fn number(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

/// The names of a set, sorted.
pub(crate) fn names(set: CapabilitySet) -> Vec<&'static str> {
    let mut names: Vec<_> = (0..NAMES.len())
        .filter(|number| set.0 & (1 << number) != 0)
        .map(|number| NAMES[number])
        .collect();
    names.sort_unstable();
    names
}

/// What of `wanted` is not in `allowed`, unless that is nothing.
pub(crate) fn excess(wanted: CapabilitySet, allowed: CapabilitySet) -> Option<CapabilitySet> {
    let excess = wanted.0 & !allowed.0;
    (excess != 0).then_some(CapabilitySet(excess))
}

/// `exec`: Nomad's defaults as far as they are allowed, without the dropped, with the added; an addition wins over a drop.
pub(crate) fn from_basis(
    allow: CapabilitySet,
    add: CapabilitySet,
    drop: CapabilitySet,
) -> CapabilitySet {
    CapabilitySet((NOMAD_DEFAULTS.0 & allow.0 & !drop.0) | add.0)
}

/// `exec2`: nothing but what is added and not dropped.
pub(crate) fn from_nothing(add: CapabilitySet, drop: CapabilitySet) -> CapabilitySet {
    CapabilitySet(add.0 & !drop.0)
}

/// The five sets for a grant. Root's exec raises what is in the bounding set anyway; everybody else keeps capabilities across
/// exec only as ambient ones, which must be inheritable too (capabilities(7)).
pub(crate) fn sets(granted: CapabilitySet, uid: u32) -> Capabilities {
    let kept = if uid == 0 { CapabilitySet(0) } else { granted };
    Capabilities {
        bounding: granted,
        permitted: granted,
        effective: granted,
        inheritable: kept,
        ambient: kept,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const DEFAULTS: &str = "audit_write chown dac_override fowner fsetid kill mknod net_bind_service setfcap setgid setpcap setuid sys_chroot";

    fn set(names: &str) -> CapabilitySet {
        let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        Supported::up_to(40).parse(&names).unwrap()
    }

    fn result(allow: &str, add: &str, drop: &str) -> CapabilitySet {
        from_basis(set(allow), set(add), set(drop))
    }

    #[test]
    fn the_basis_is_nomads_thirteen() {
        assert_eq!(set(DEFAULTS), NOMAD_DEFAULTS);
        assert_eq!(names(NOMAD_DEFAULTS).join(" "), DEFAULTS);
    }

    #[test]
    fn exec_computes_as_nomad_does() {
        assert_eq!(result(DEFAULTS, "", ""), NOMAD_DEFAULTS);
        assert_eq!(result("all", "", ""), NOMAD_DEFAULTS);
        assert_eq!(result("cap_net_raw chown SYS_TIME", "", ""), set("chown"));
        assert_eq!(
            result("cap_net_raw chown SYS_TIME", "net_raw sys_time", ""),
            set("chown net_raw sys_time")
        );
        assert_eq!(result(DEFAULTS, "chown KILL", ""), NOMAD_DEFAULTS);
        assert_eq!(result(DEFAULTS, "", "all"), CapabilitySet(0));
        assert_eq!(result(DEFAULTS, "chown fowner", "all"), set("chown fowner"));
        let dropped = "chown fowner CAP_KILL SYS_CHROOT mknod dac_override";
        let rest = "audit_write fsetid net_bind_service setfcap setgid setpcap setuid";
        assert_eq!(result(DEFAULTS, "", dropped), set(rest));
        assert_eq!(result("", "", ""), CapabilitySet(0));
    }

    #[test]
    fn an_addition_that_is_not_allowed_is_named() {
        assert_eq!(
            excess(set("chown net_raw"), set(DEFAULTS)).map(names),
            Some(vec!["net_raw"])
        );
        assert_eq!(
            excess(set("all"), set(DEFAULTS)).map(names).unwrap().len(),
            41 - 13
        );
        assert_eq!(excess(set("chown"), set("all")), None);
    }

    #[test]
    fn exec2_starts_from_nothing_and_a_drop_wins() {
        assert_eq!(
            from_nothing(set("chown kill"), set("cap_kill")),
            set("chown")
        );
        assert_eq!(from_nothing(set(""), set("")), CapabilitySet(0));
    }

    #[test]
    fn names_are_read_in_any_spelling_and_strangers_are_told() {
        assert_eq!(set(" NET_RAW"), set("cap_net_raw"));
        let given = [
            "sys_tme".to_owned(),
            "CAP_Foo".to_owned(),
            String::new(),
            "chown".to_owned(),
        ];
        assert_eq!(
            Supported::up_to(40).parse(&given),
            Err(Unsupported(vec!["foo".to_owned(), "sys_tme".to_owned()]))
        );
        assert!(Supported::up_to(37).parse(&["bpf".to_owned()]).is_err());
        assert_eq!(
            Supported::up_to(37).parse(&["all".to_owned()]),
            Ok(CapabilitySet(0x3f_ffff_ffff))
        );
    }

    #[test]
    fn root_gets_three_sets_and_others_five() {
        let granted = set("chown");
        assert_eq!(sets(granted, 0).ambient, CapabilitySet(0));
        assert_eq!(sets(granted, 0).inheritable, CapabilitySet(0));
        assert_eq!(sets(granted, 0).effective, granted);
        let five = sets(granted, 65534);
        assert!(
            [
                five.bounding,
                five.permitted,
                five.effective,
                five.inheritable,
                five.ambient
            ]
            .iter()
            .all(|one| *one == granted)
        );
    }
}
