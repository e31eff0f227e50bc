//! Nomad's users write `-data-dir`: a known long flag is taken with one dash, too.
use std::ffi::OsString;

use clap::Command;

/// Gives every known long flag its second dash. What follows `--`, and clusters of short flags, stay as they are.
pub(crate) fn normalise(command: &Command, arguments: Vec<OsString>) -> Vec<OsString> {
    let known = long_flags(command);
    let mut open = true;
    let double = |argument: OsString| {
        open &= argument != "--";
        if open && is_single_dashed(&argument, &known) {
            doubled(&argument)
        } else {
            argument
        }
    };
    arguments.into_iter().map(double).collect()
}

fn long_flags(command: &Command) -> Vec<String> {
    let own = command
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .map(str::to_owned);
    let always = ["help", "version"].map(str::to_owned);
    own.chain(always)
        .chain(command.get_subcommands().flat_map(long_flags))
        .collect()
}

fn is_single_dashed(argument: &OsString, known: &[String]) -> bool {
    let text = argument.to_string_lossy();
    let Some(flag) = text.strip_prefix('-').filter(|flag| !flag.starts_with('-')) else {
        return false;
    };
    let name = flag.split('=').next().unwrap_or_default();
    name.len() > 1 && known.iter().any(|long| long == name)
}

fn doubled(argument: &OsString) -> OsString {
    let mut doubled = OsString::from("-");
    doubled.push(argument);
    doubled
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
        assert_eq!(
            normalised(&["encamp", "run", "-data-dir=/x", "-keep", "-help"]),
            ["encamp", "run", "--data-dir=/x", "--keep", "--help"]
        );
    }

    #[test]
    fn everything_else_stays() {
        let arguments = [
            "encamp", "-q", "--keep", "-it", "-nosuch", "-", "--", "-keep",
        ];
        assert_eq!(normalised(&arguments), arguments);
    }
}
