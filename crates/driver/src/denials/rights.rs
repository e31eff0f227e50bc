//! The rights of Landlock's records (`security/landlock/audit.c`) in the letters of `unveil`.

/// Letters of `unveil`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Letters {
    r: bool,
    w: bool,
    x: bool,
    c: bool,
}

impl Letters {
    pub(super) const fn of(letters: &str) -> Letters {
        let bytes = letters.as_bytes();
        let mut found = Letters {
            r: false,
            w: false,
            x: false,
            c: false,
        };
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'r' => found.r = true,
                b'w' => found.w = true,
                b'x' => found.x = true,
                _ => found.c = true,
            }
            at += 1;
        }
        found
    }

    pub(super) fn and(self, other: Letters) -> Letters {
        Letters {
            r: self.r || other.r,
            w: self.w || other.w,
            x: self.x || other.x,
            c: self.c || other.c,
        }
    }

    /// Whether these give all that the others do.
    pub(super) fn give(self, other: Letters) -> bool {
        self.and(other) == self
    }

    /// Whether nothing but reading is asked for.
    pub(super) fn only_read(self) -> bool {
        self == Letters::of("r")
    }
}

impl std::fmt::Display for Letters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letters = [(self.r, 'r'), (self.w, 'w'), (self.x, 'x'), (self.c, 'c')];
        let given = letters.iter().filter(|(given, _)| *given);
        given.map(|(_, letter)| *letter).collect::<String>().fmt(f)
    }
}

/// What a missing right means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Right {
    /// What was attempted, in a word.
    pub(super) word: &'static str,
    /// What gives it.
    pub(super) given_by: By,
}

/// What gives a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Letters of `unveil`.
    Letters(Letters),
    /// A rule of `network_rules`, which begins so.
    Port(&'static str),
    /// Nothing, and why.
    Nothing(&'static str),
}

const DEVICE: &str = "no task makes device nodes";

/// How a rule of `network_rules` begins.
pub(super) const BIND: &str = "bind:";
const CONNECT: &str = "connect:";

/// The kernel opens for reading what it executes; what makes a file writes it.
const RIGHTS: &[(&str, &str, By)] = &[
    ("fs.execute", "execute", letters("rx")),
    ("fs.write_file", "write", letters("w")),
    ("fs.truncate", "write", letters("w")),
    ("fs.read_file", "read", letters("r")),
    ("fs.read_dir", "list", letters("r")),
    ("fs.make_reg", "create", letters("rwc")),
    ("fs.make_dir", "create", letters("rwc")),
    ("fs.make_sym", "create", letters("rwc")),
    ("fs.make_sock", "create", letters("rwc")),
    ("fs.make_fifo", "create", letters("rwc")),
    ("fs.make_char", "create", By::Nothing(DEVICE)),
    ("fs.make_block", "create", By::Nothing(DEVICE)),
    ("fs.remove_file", "remove", letters("c")),
    ("fs.remove_dir", "remove", letters("c")),
    ("fs.refer", "rename", letters("c")),
    ("fs.ioctl_dev", "ioctl", letters("rw")),
    ("fs.resolve_unix", "connect", letters("w")),
    (
        "fs.change_topology",
        "mount",
        By::Nothing("no task mounts anything"),
    ),
    ("net.bind_tcp", "bind", By::Port(BIND)),
    ("net.connect_tcp", "connect", By::Port(CONNECT)),
    (
        "scope.signal",
        "signal",
        By::Nothing("signals stay inside the task"),
    ),
    (
        "scope.abstract_unix_socket",
        "connect",
        By::Nothing("abstract sockets stay inside the task"),
    ),
    (
        "ptrace",
        "trace",
        By::Nothing("nobody outside the task can be traced"),
    ),
];

const fn letters(letters: &str) -> By {
    By::Letters(Letters::of(letters))
}

/// By the name that a record has for it. A right of a kernel newer than this list has no word yet.
pub(super) fn right(name: &str) -> Right {
    let known = RIGHTS.iter().find(|(known, ..)| *known == name);
    let (word, given_by) = known.map_or(
        ("access", By::Nothing("no entry is known to allow it")),
        |(_, word, by)| (*word, *by),
    );
    Right { word, given_by }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_written_in_the_order_of_the_documentation() {
        assert_eq!(Letters::of("cxwr").to_string(), "rwxc");
        assert!(
            Letters::of("rwc").give(Letters::of("r")) && !Letters::of("r").give(Letters::of("rx"))
        );
        assert!(Letters::of("r").only_read());
    }

    #[test]
    fn a_right_of_a_newer_kernel_is_told_without_advice() {
        assert!(matches!(
            right("fs.new"),
            Right {
                word: "access",
                given_by: By::Nothing(_)
            }
        ));
    }
}
