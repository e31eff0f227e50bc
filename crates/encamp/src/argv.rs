//! Nomad's users write `-data-dir`: a known long flag is taken with one dash, too.
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, Command};

/// Gives every long flag that the chosen command has its second dash. What follows `--`, clusters of short flags, values
/// of flags, and the words of a command that is to be run (`encamp exec TARGET find . -name x`) stay as they are.
pub(crate) fn normalise(command: &Command, arguments: Vec<OsString>) -> Vec<OsString> {
    let mut words = arguments.into_iter();
    let mut plain: Vec<OsString> = words.next().into_iter().collect();
    let mut place = Place::in_front_of(command);
    for word in words.by_ref() {
        let (word, next) = place.read(word);
        plain.push(word);
        if next == Next::Foreign {
            break;
        }
    }
    plain.extend(words);
    plain
}

/// How far the arguments were read.
struct Place<'a> {
    command: &'a Command,
    /// Of the commands around it, which are taken here, too.
    global: Vec<&'a Arg>,
    positionals: usize,
    /// The last word was a flag whose value comes now.
    is_value_due: bool,
}

/// Whom the next word is for.
#[derive(PartialEq, Eq)]
enum Next {
    Ours,
    /// None of those that follow is.
    Foreign,
}

impl<'a> Place<'a> {
    fn in_front_of(command: &'a Command) -> Place<'a> {
        Place {
            command,
            global: Vec::new(),
            positionals: 0,
            is_value_due: false,
        }
    }

    fn read(&mut self, word: OsString) -> (OsString, Next) {
        if std::mem::take(&mut self.is_value_due) {
            return (word, Next::Ours);
        }
        if word == "--" {
            return (word, Next::Foreign);
        }
        if word.as_bytes().len() > 1 && word.as_bytes().starts_with(b"-") {
            return (self.flag(word), Next::Ours);
        }
        let next = self.positional(&word);
        (word, next)
    }

    fn flag(&mut self, word: OsString) -> OsString {
        let text = word.to_string_lossy();
        let (bare, is_double) = match text.strip_prefix("--") {
            Some(bare) => (bare, true),
            None => (text.trim_start_matches('-'), false),
        };
        let (name, value) = match bare.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (bare, None),
        };
        let long = self.flags().find(|flag| has_long(flag, name));
        let is_always = matches!(name, "help" | "version");
        if !is_double && long.is_none() && !is_always {
            self.is_value_due = self.awaits_value(bare);
            return word;
        }
        self.is_value_due = value.is_none() && long.is_some_and(takes_value);
        let is_short = name.chars().count() == 1;
        if is_double || is_short {
            return word;
        }
        let mut doubled = OsString::from("-");
        doubled.push(&word);
        doubled
    }

    /// Whether a cluster of short flags ends with one whose value is the next word.
    fn awaits_value(&self, cluster: &str) -> bool {
        let taking = cluster.char_indices().find(|(_, short)| {
            let mut flags = self.flags();
            flags.any(|flag| flag.get_short() == Some(*short) && takes_value(flag))
        });
        taking.is_some_and(|(at, short)| at + short.len_utf8() == cluster.len())
    }

    fn positional(&mut self, word: &OsString) -> Next {
        if let Some(chosen) = self.command.find_subcommand(word) {
            self.global = self.flags().filter(|flag| flag.is_global_set()).collect();
            (self.command, self.positionals) = (chosen, 0);
            return Next::Ours;
        }
        self.positionals += 1;
        let ours = self.command.get_positionals().count();
        let is_foreign = |own: &Arg| own.is_trailing_var_arg_set() && self.positionals >= ours;
        if self.command.get_positionals().any(is_foreign) {
            Next::Foreign
        } else {
            Next::Ours
        }
    }

    fn flags(&self) -> impl Iterator<Item = &'a Arg> + use<'a, '_> {
        let own = self.command.get_arguments();
        own.filter(|argument| !argument.is_positional())
            .chain(self.global.iter().copied())
    }
}

fn has_long(flag: &Arg, name: &str) -> bool {
    let mut others = flag.get_all_aliases().unwrap_or_default().into_iter();
    flag.get_long() == Some(name) || others.any(|other| other == name)
}

fn takes_value(flag: &Arg) -> bool {
    flag.get_action().takes_values()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn normalised(arguments: &[&str]) -> Vec<String> {
        let arguments = arguments.iter().map(OsString::from).collect();
        let plain = normalise(&crate::cli::Cli::command(), arguments);
        plain
            .into_iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn known_long_flags_get_their_second_dash() {
        for (written, read) in [
            (
                vec!["run", "-data-dir=/x", "-keep", "-help"],
                vec!["run", "--data-dir=/x", "--keep", "--help"],
            ),
            (
                vec!["-data-dir", "/x", "run", "f", "-rm"],
                vec!["--data-dir", "/x", "run", "f", "--rm"],
            ),
            (vec!["logs", "-tail=3", "t"], vec!["logs", "--tail=3", "t"]),
            (
                vec!["alloc", "exec", "-tty", "t", "ls"],
                vec!["alloc", "exec", "--tty", "t", "ls"],
            ),
            (vec!["-version"], vec!["--version"]),
        ] {
            assert_eq!(normalised(&[&["encamp"], &written[..]].concat())[1..], read);
        }
    }

    #[test]
    fn everything_else_stays() {
        for arguments in [
            vec!["-q", "run", "--keep", "-it", "-nosuch", "-", "--", "-keep"],
            // A flag of another command.
            vec!["stop", "-keep", "t"],
            // The value of one.
            vec!["run", "-c", "-keep", "f"],
            vec!["run", "--user", "-keep", "--", "id"],
        ] {
            assert_eq!(
                normalised(&[&["encamp"], &arguments[..]].concat())[1..],
                arguments
            );
        }
    }

    #[test]
    fn a_commands_own_arguments_are_its_own() {
        for words in [
            vec!["exec", "t", "find", ".", "-name", "x", "-quiet", "-tty"],
            vec!["alloc", "exec", "-it", "t", "ps", "-help"],
            vec!["exec", "-e", "none", "t", "ls", "-config", "--", "-keep"],
            vec!["exec", "-enone", "--data-dir", "/x", "t", "ls", "-verbose"],
        ] {
            assert_eq!(normalised(&[&["encamp"], &words[..]].concat())[1..], words);
        }
    }
}
