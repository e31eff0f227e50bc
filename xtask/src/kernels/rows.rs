//! Where the suite runs.
use std::path::PathBuf;

use super::Result;

/// One kernel, or what is left of one.
pub(crate) struct Row {
    /// Its name, and its list's.
    pub(crate) name: &'static str,
    /// In one line.
    pub(crate) about: &'static str,
    pub(crate) place: Place,
    /// Names of tests, or parts of names, with the reason why they are not run.
    pub(crate) left_out: &'static [(&'static str, &'static str)],
}

pub(crate) enum Place {
    /// On this kernel, through a program that takes something of it away.
    Here(Through),
    /// In a virtual machine.
    Guest(Guest),
}

/// The program that runs the suite, and its arguments; nothing for the plain kernel.
pub(crate) type Through = &'static [&'static str];

pub(crate) struct Guest {
    /// The series of Debian's kernel.
    pub(crate) series: &'static str,
    /// Who is PID 1 once the root is no ramdisk any more.
    pub(crate) init: Init,
    pub(crate) runs: Runs,
}

/// What a guest is for.
pub(crate) enum Runs {
    /// The suite; parts of the names of the tests that are run, all without a word.
    Suite(&'static [&'static str]),
    /// The host of `tests/plugin`, with smaller crowds than elsewhere.
    PluginHost,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    /// A script that runs the suite.
    Script,
    /// systemd, with the suite's part for it in a unit.
    Systemd,
}

/// What software emulation has no time for, and no kernel a say in.
const TOO_LONG: &[(&str, &str)] = &[
    (
        "leaks::two_hundred_starts",
        "some minutes when emulated; fifty_runs_at_once and the crashes look for leaks there too",
    ),
    (
        "leaks::bad_input",
        "dozens of starts; mistakes are found before the kernel is asked",
    ),
    (
        "bad_input_exec",
        "dozens of starts; mistakes are found before the kernel is asked",
    ),
    (
        "lookup::",
        "openat2(2) decides, which is the same on all of these kernels",
    ),
    ("users::", "names are read from files"),
    ("exec2_task::a_user_is_exactly", "names are read from files"),
    (
        "attacks::a_command_killed_at_any_moment",
        "its moments are those of a start that takes a tenth of a second; emulated it takes seconds",
    ),
    (
        "attacks::a_working_directory_is_never_a_link_of_procfs",
        "eighty starts, for openat2(2), which is the same on all of these kernels",
    ),
    (
        "attacks::closed_and_full_streams",
        "forty starts, of which the kernel sees nothing but pipes",
    ),
    (
        "attacks_exec2::a_task_that_swaps_its_log",
        "forty starts, for openat2(2), which is the same on all of these kernels",
    ),
    (
        "volumes::exchanging_what_is_mounted",
        "a hundred starts, for a race that emulation does not have",
    ),
    (
        "few_descriptors",
        "a start for each number of descriptors, for an error that is the same on all of these kernels",
    ),
    (
        "exits::every_exit_code",
        "512 starts; the tests of signals and faults are there",
    ),
    (
        "exits::in_the_hosts_pid_namespace",
        "56 starts; the same signals end a task of exec2 there",
    ),
    (
        "exits::as_pid_1_an_exec_task_does_not_die",
        "55 starts; the same signals end a task of exec2 there",
    ),
    (
        "signals::every_signal_that_can_be_caught",
        "48 starts; stopping, going on and one signal are there",
    ),
    ("poor_hosts::without_clone3", "that is the row no-clone3"),
];

/// Each of them is in one list, `tests/kernels/lists`.
pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "host",
        about: "this machine as it is",
        place: Place::Here(&[]),
        left_out: &[],
    },
    Row {
        name: "no-clone3",
        about: "clone3 answers ENOSYS, as in containers with an older seccomp filter",
        place: Place::Here(&["hide", "435", "--"]),
        left_out: &[],
    },
    Row {
        name: "no-landlock",
        about: "landlock_* answer ENOSYS: exec runs, exec2 is refused",
        place: Place::Here(&["hide", "444", "445", "446", "--"]),
        left_out: &[],
    },
    Row {
        name: "no-mount-calls",
        about: "open_tree and mount_setattr answer ENOSYS: every start is refused",
        place: Place::Here(&["hide", "428", "442", "--"]),
        left_out: &[],
    },
    Row {
        name: "oldest",
        about: "Landlock ABI 1, and ENOSYS for every call newer than Linux 5.15",
        place: Place::Here(&["old_kernel", "--"]),
        left_out: &[],
    },
    Row {
        name: "6.1",
        about: "Debian's Linux 6.1 in a virtual machine: pure cgroup v2, Landlock ABI 2",
        place: Place::Guest(Guest {
            series: "6.1",
            init: Init::Script,
            runs: Runs::Suite(&[]),
        }),
        left_out: TOO_LONG,
    },
    Row {
        name: "6.12",
        about: "Debian's Linux 6.12 in a virtual machine: pure cgroup v2, Landlock ABI 6",
        place: Place::Guest(Guest {
            series: "6.12",
            init: Init::Script,
            runs: Runs::Suite(&[]),
        }),
        left_out: TOO_LONG,
    },
    Row {
        name: "systemd",
        about: "Debian's Linux 6.1 in a virtual machine, with systemd as PID 1",
        place: Place::Guest(Guest {
            series: "6.1",
            init: Init::Systemd,
            runs: Runs::Suite(&["systemd::", "cgroup::"]),
        }),
        left_out: &[],
    },
    Row {
        name: "plugin",
        about: "Debian's Linux 6.12 in a virtual machine: both plugins under Nomad's own client code, on pure cgroup v2",
        place: Place::Guest(Guest {
            series: "6.12",
            init: Init::Script,
            runs: Runs::PluginHost,
        }),
        left_out: &[],
    },
];

/// A row, and the file to read it from instead of running it.
type Choice = (&'static Row, Option<PathBuf>);

/// The rows that are asked for, in the order of asking; all without a word.
pub(crate) fn chosen(asked: &[String]) -> Result<Vec<Choice>> {
    if asked.is_empty() {
        return Ok(ROWS.iter().map(|row| (row, None)).collect());
    }
    asked.iter().map(|word| choice(word)).collect()
}

fn choice(word: &str) -> Result<Choice> {
    let (name, file) = match word.split_once('=') {
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (word, None),
    };
    let row = ROWS.iter().find(|row| row.name == name).ok_or_else(|| {
        let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        format!("no row {name:?}; there are {}", known.join(", "))
    })?;
    Ok((row, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_means_all_and_an_unknown_one_names_the_known() {
        assert_eq!(chosen(&[]).unwrap().len(), ROWS.len());
        let one = chosen(&["host=/x".to_owned()]).unwrap();
        assert_eq!((one[0].0.name, &one[0].1), ("host", &Some("/x".into())));
        let error = chosen(&["5.4".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("5.4") && error.contains("6.12"), "{error}");
    }
}
