//! What the sandbox denied a task, with the line to add to its job file.
use std::collections::BTreeMap;

use driver::denials::{Advice, Denial, Denials, Entry, Error, Who};
use driver::in_one_line;
use jobspec::Task;

use crate::commands::JobFile;
use crate::commands::adhoc::{self, quote_twice};

/// Lines of a list that people read.
const LINES: usize = 20;
/// Behind columns that are wider everything begins where it may.
const WIDEST: usize = 60;

/// Lines for people: what was denied, and what to do about it.
pub(crate) fn told(denials: &Denials, name: &str, task: &Task, file: &JobFile) -> String {
    let place = Place { task, file };
    let adhoc = file.name == adhoc::NAME;
    let entries = denials.entries();
    let is_one = entries.len() == 1;
    let advice = |denial: &Denial| match &denial.advice {
        Advice::Entry { who, option, entry } if is_one => place.add(*who, option, &[entry]),
        Advice::Entry {
            option: "unveil",
            entry,
            ..
        } if adhoc => format!("add  {}", flag(entry)),
        Advice::Entry { entry, .. } => format!("add  {}", quoted(entry)),
        Advice::Harmless => "probably harmless".to_owned(),
        Advice::Nothing(why) => (*why).to_owned(),
    };
    let rows = denials.list.iter().take(LINES);
    let rows: Vec<[String; 3]> = rows
        .map(|denial| [denial.access.to_owned(), object(denial), advice(denial)])
        .collect();
    let accesses = match denials.list.len() {
        0 => {
            return format!(
                "what the sandbox may have denied {name} cannot be told: it came faster than it could be read"
            );
        }
        1 => "1 access".to_owned(),
        count => format!("{count} accesses"),
    };
    let mut lines = vec![format!("the sandbox denied {name} {accesses}:")];
    lines.extend(columns(&rows));
    let left_out = denials.list.len().saturating_sub(LINES) as u64 + denials.more;
    if left_out > 0 {
        lines.push(format!("      and {left_out} more"));
    }
    if denials.incomplete {
        lines.push("      and perhaps others: they came faster than they could be read".to_owned());
    }
    if !is_one {
        let together = together(&entries).into_iter();
        lines.extend(
            together.map(|((who, option), all)| format!("    {}", place.add(who, option, &all))),
        );
    }
    lines.join("\n")
}

/// Why there is no such list, and how to get it.
pub(crate) fn unknown(why: &Error) -> String {
    let way_out = match why {
        Error::Off => " (--no-audit, or audit = false of the driver, has it stay so)",
        Error::OffOnPurpose | Error::Panics => " (encamp doctor says what to do)",
        _ => "",
    };
    let why = in_one_line(why);
    format!("what the sandbox may have denied cannot be told: {why}{way_out}")
}

/// The entries of each option, of the task's first.
fn together<'e>(entries: &[Entry<'e>]) -> BTreeMap<(Who, &'static str), Vec<&'e str>> {
    let mut together: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Entry { who, option, text } in entries {
        together.entry((*who, *option)).or_default().push(*text);
    }
    together
}

/// Whoever is denied chooses the name: what a terminal would obey is written out.
fn object(denial: &Denial) -> String {
    let mut shown = String::new();
    for character in denial.object.chars() {
        if character.is_control() || turns(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    match denial.times {
        1 => shown,
        times => format!("{shown}  ×{times}"),
    }
}

/// Characters that have what follows them read in the other direction.
fn turns(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As it is written in a job file.
fn quoted(entry: &str) -> String {
    let mut quoted = String::new();
    for character in quote_twice(entry).chars() {
        if turns(character) {
            quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            quoted.push(character);
        }
    }
    quoted
}

/// As it is written for a shell.
fn flag(entry: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c);
    if entry.chars().all(plain) {
        return format!("--unveil {entry}");
    }
    if !entry.contains(|c: char| c.is_control() || turns(c)) {
        return format!("--unveil '{}'", entry.replace('\'', "'\\''"));
    }
    // ksh's quotes, which bash and zsh have too.
    let mut written = String::new();
    for character in entry.chars() {
        match character {
            '\'' | '\\' => written.extend(['\\', character]),
            _ if character.is_control() || turns(character) => {
                written.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => written.push(character),
        }
    }
    format!("--unveil $'{written}'")
}

fn columns(rows: &[[String; 3]]) -> Vec<String> {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    let line = |[access, object, advice]: &[String; 3]| {
        format!("      {access:<first$}  {object:<second$}   {advice}")
    };
    rows.iter().map(line).collect()
}

/// Where a line can be added.
struct Place<'a> {
    task: &'a Task,
    file: &'a JobFile,
}

impl Place<'_> {
    fn add(&self, who: Who, option: &str, entries: &[&str]) -> String {
        let list: Vec<String> = entries.iter().map(|entry| quoted(entry)).collect();
        let list = list.join(", ");
        if who == Who::Operator {
            let otherwise = match option {
                "unveil_paths" => "or unveil_by_task = true; ",
                _ => "",
            };
            return format!(
                "add  {list} to {option}   ({otherwise}plugin \"exec2\" of the configuration)"
            );
        }
        if self.file.name == adhoc::NAME && option == "unveil" {
            let flags: Vec<String> = entries.iter().map(|entry| flag(entry)).collect();
            return format!("add  {}", flags.join(" "));
        }
        match self.task.config.attributes.get(option) {
            Some(attribute) => {
                let line = self.line(attribute.name_span.start);
                format!("add  {list} to {option}   ({line})")
            }
            None => {
                let line = self.line(self.task.config.span.start);
                format!("add  {option} = [{list}]   ({line})")
            }
        }
    }

    fn line(&self, offset: usize) -> String {
        let before = self.file.text.get(..offset).unwrap_or_default();
        format!("{}:{}", self.file.name, before.matches('\n').count() + 1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn denial(access: &'static str, object: &str, advice: Advice) -> Denial {
        Denial {
            access,
            object: object.to_owned(),
            times: 1,
            advice,
        }
    }

    fn entry(option: &'static str, entry: &str) -> Advice {
        Advice::Entry {
            who: Who::Task,
            option,
            entry: entry.to_owned(),
        }
    }

    fn lines(list: Vec<Denial>, config: &str) -> String {
        let text = format!(
            "job \"a\" {{\n task \"b\" {{\n  driver = \"exec2\"\n  config {{\n{config}  }}\n }}\n}}\n"
        );
        let file = JobFile {
            name: "a.hcl".to_owned(),
            text,
        };
        let job = jobspec::parse(&file.name, &file.text).unwrap();
        let denials = Denials {
            list,
            ..Denials::default()
        };
        told(&denials, "b", &job.groups[0].tasks[0], &file)
    }

    const COMMAND: &str = "   command = \"x\"\n";

    #[test]
    fn a_lone_denial_has_the_whole_line_to_add_beside_it() {
        let list = vec![
            denial(
                "read",
                "/etc/mime.types",
                entry("unveil", "r:/etc/mime.types"),
            ),
            denial("read", "/etc/locale.alias", Advice::Harmless),
        ];
        assert_eq!(
            lines(list, COMMAND),
            "the sandbox denied b 2 accesses:\n      read  /etc/mime.types     add  unveil = [\"r:/etc/mime.types\"]   (a.hcl:4)\n      read  /etc/locale.alias   probably harmless"
        );
    }

    #[test]
    fn several_come_together_once_more_at_the_end() {
        let list = || {
            vec![
                denial("read", "/a", entry("unveil", "r:/a")),
                denial("write", "/b", entry("unveil", "w:/b")),
                denial("bind", "TCP port 80", entry("network_rules", "bind:80")),
            ]
        };
        let told = lines(list(), COMMAND);
        let end = "\n    add  network_rules = [\"bind:80\"]   (a.hcl:4)\n    add  unveil = [\"r:/a\", \"w:/b\"]   (a.hcl:4)";
        assert!(
            told.contains("read   /a            add  \"r:/a\"\n") && told.ends_with(end),
            "{told}"
        );
        let told = lines(list(), &format!("{COMMAND}   unveil = [\"r:/c\"]\n"));
        assert!(
            told.ends_with("add  \"r:/a\", \"w:/b\" to unveil   (a.hcl:6)"),
            "{told}"
        );
    }

    #[test]
    fn a_name_cannot_write_to_the_terminal_nor_out_of_its_quotes() {
        let name = "/a\u{1b}[2J\n\u{202e}\"${b}";
        let list = vec![denial("read", name, entry("unveil", &format!("r:{name}")))];
        let told = lines(list, COMMAND);
        assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told}");
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(told.contains("/a\\u{1b}[2J\\n\\u{202e}\"${b}"), "{told}");
    }

    #[test]
    fn a_flag_is_one_word_of_a_shell() {
        for (entry, written) in [
            ("r:/a-b", "--unveil r:/a-b"),
            ("r:/a b", "--unveil 'r:/a b'"),
            ("r:/a'$b", "--unveil 'r:/a'\\''$b'"),
            ("r:/a'\n\\", "--unveil $'r:/a\\'\\u000a\\\\'"),
        ] {
            assert_eq!(flag(entry), written);
        }
    }

    #[test]
    fn the_operators_option_is_named_with_its_place() {
        let of_the_operator = |option, entry: &str| Advice::Entry {
            who: Who::Operator,
            option,
            entry: entry.to_owned(),
        };
        let path = denial("read", "/a", of_the_operator("unveil_paths", "r:/a"));
        let port = denial(
            "bind",
            "TCP port 80",
            of_the_operator("network_rules", "bind:80"),
        );
        let told = lines(vec![path.clone()], COMMAND);
        let place = "plugin \"exec2\" of the configuration)";
        let wanted = format!("add  \"r:/a\" to unveil_paths   (or unveil_by_task = true; {place}");
        assert!(told.contains(&wanted), "{told}");
        // The job's own rules may not go beyond the operator's: a line of the job's is no help.
        let config = format!("{COMMAND}   network_rules = [\"bind:85\"]\n");
        let told = lines(vec![port.clone()], &config);
        let wanted = format!("add  \"bind:80\" to network_rules   ({place}");
        assert!(told.contains(&wanted) && !told.contains("a.hcl"), "{told}");
        let own = denial("bind", "TCP port 90", entry("network_rules", "bind:90"));
        let told = lines(vec![path, port, own], &config);
        let end: Vec<_> = told.lines().skip(4).map(str::trim).collect();
        assert!(
            end[0].starts_with("add  \"bind:90\" to network_rules   (a.hcl:"),
            "{told}"
        );
        assert!(
            end[1].starts_with("add  \"bind:80\" to network_rules   (plugin"),
            "{told}"
        );
        assert!(
            end[2].starts_with("add  \"r:/a\" to unveil_paths"),
            "{told}"
        );
    }

    #[test]
    fn a_list_that_is_empty_since_nothing_could_be_read_says_so() {
        let file = JobFile {
            name: "a.hcl".to_owned(),
            text: format!(
                "job \"a\" {{\n task \"b\" {{\n  driver = \"exec2\"\n  config {{\n{COMMAND}  }}\n }}\n}}\n"
            ),
        };
        let job = jobspec::parse(&file.name, &file.text).unwrap();
        let denials = Denials {
            incomplete: true,
            ..Denials::default()
        };
        assert!(!denials.is_empty() && Denials::default().is_empty());
        let told = told(&denials, "b", &job.groups[0].tasks[0], &file);
        assert!(
            told.contains("cannot be told") && told.lines().count() == 1,
            "{told}"
        );
    }
}
