//! Numbers of the system calls that a filter can name, for both tables of x86 (`arch/x86/entry/syscalls/syscall_{64,32}.tbl`).
//!
//! x32 uses the first table with [`X32_BIT`] set; calls of its own there have numbers from 512 on, listed with the others.

/// `__X32_SYSCALL_BIT`.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// The numbers of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// x86-64 and x32.
    pub(crate) x86_64: &'static [u32],
    /// i386.
    pub(crate) i386: &'static [u32],
}

/// The numbers of a call, by its name.
pub(crate) fn numbers(name: &str) -> Option<Numbers> {
    let found = TABLE.iter().find(|(known, ..)| *known == name);
    found.map(|(_, x86_64, i386)| Numbers { x86_64, i386 })
}

/// Name, x86-64 with x32, i386.
const TABLE: &[(&str, &[u32], &[u32])] = &[
    ("acct", &[163], &[51]),
    ("add_key", &[248], &[286]),
    ("bpf", &[321], &[357]),
    ("clone", &[56], &[120]),
    ("clone3", &[435], &[435]),
    ("delete_module", &[176], &[129]),
    ("finit_module", &[313], &[350]),
    ("fork", &[57], &[2]),
    ("fsconfig", &[431], &[431]),
    ("fsmount", &[432], &[432]),
    ("fsopen", &[430], &[430]),
    ("fspick", &[433], &[433]),
    ("init_module", &[175], &[128]),
    ("io_uring_enter", &[426], &[426]),
    ("io_uring_register", &[427], &[427]),
    ("io_uring_setup", &[425], &[425]),
    ("ioctl", &[16, 514], &[54]),
    ("kexec_file_load", &[320], &[]),
    ("kexec_load", &[246, 528], &[283]),
    ("keyctl", &[250], &[288]),
    ("link", &[86], &[9]),
    ("linkat", &[265], &[303]),
    ("mknod", &[133], &[14]),
    ("mknodat", &[259], &[297]),
    ("mount", &[165], &[21]),
    ("mount_setattr", &[442], &[442]),
    ("move_mount", &[429], &[429]),
    ("open_by_handle_at", &[304], &[342]),
    ("open_tree", &[428], &[428]),
    ("open_tree_attr", &[467], &[467]),
    ("perf_event_open", &[298], &[336]),
    ("pidfd_getfd", &[438], &[438]),
    ("pivot_root", &[155], &[217]),
    ("process_vm_readv", &[310, 539], &[347]),
    ("process_vm_writev", &[311, 540], &[348]),
    ("ptrace", &[101, 521], &[26]),
    ("reboot", &[169], &[88]),
    ("request_key", &[249], &[287]),
    ("sendmmsg", &[307, 538], &[345]),
    ("sendmsg", &[46, 518], &[370]),
    ("sendto", &[44], &[369]),
    ("setns", &[308], &[346]),
    ("socket", &[41], &[359]),
    ("socketcall", &[], &[102]),
    ("swapoff", &[168], &[115]),
    ("swapon", &[167], &[87]),
    ("symlink", &[88], &[83]),
    ("symlinkat", &[266], &[304]),
    ("syslog", &[103], &[103]),
    ("umount", &[], &[22]),
    ("umount2", &[166], &[52]),
    ("unshare", &[272], &[310]),
    ("userfaultfd", &[323], &[374]),
    ("vfork", &[58], &[190]),
];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// `#define __NR_acct 163` of the kernel's headers, x32 as `(__X32_SYSCALL_BIT + 163)`; `None` where they are not installed.
    fn header(name: &str) -> Option<Vec<(String, u32)>> {
        let path = format!("/usr/include/x86_64-linux-gnu/asm/unistd_{name}.h");
        let text = std::fs::read_to_string(path).ok()?;
        let number = |line: &str| {
            let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
            let digits = number.trim_matches(|c: char| !c.is_ascii_digit());
            let digits = digits.rsplit(' ').next()?;
            Some((name.to_owned(), digits.parse().ok()?))
        };
        Some(text.lines().filter_map(number).collect())
    }

    #[test]
    fn the_numbers_are_those_of_the_kernels_headers() {
        for (header_name, column) in [("64", 0), ("x32", 0), ("32", 1)] {
            let Some(known) = header(header_name) else {
                continue;
            };
            assert!(known.len() > 300, "unistd_{header_name}.h was not read");
            for (name, x86_64, i386) in TABLE {
                let ours = [x86_64, i386][column];
                let theirs = known.iter().find(|(known, _)| known == name);
                assert!(
                    theirs.is_none_or(|(_, number)| ours.contains(number)),
                    "{name} is {theirs:?} in unistd_{header_name}.h"
                );
            }
        }
    }

    #[test]
    fn every_call_has_a_number_and_no_number_has_two_calls() {
        assert!(
            TABLE
                .iter()
                .all(|(_, x86_64, i386)| !(x86_64.is_empty() && i386.is_empty()))
        );
        for column in [0, 1] {
            let mut all: Vec<u32> = TABLE
                .iter()
                .flat_map(|(_, x86_64, i386)| [x86_64, i386][column].iter().copied())
                .collect();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count);
        }
    }

    #[test]
    fn a_name_that_is_not_in_the_table_has_no_numbers() {
        assert_eq!(numbers("no_such_call"), None);
        assert_eq!(numbers("reboot").unwrap().i386, [88]);
    }
}
