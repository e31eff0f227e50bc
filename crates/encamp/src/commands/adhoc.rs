//! `encamp run -- COMMAND`: a job file made of flags. It is text that is read like any other, so what `--emit-job`
//! prints runs the same.
use std::fmt::Write;

use crate::cli::AdHoc;
use crate::commands::JobFile;

/// Where mistakes in it are.
pub(crate) const NAME: &str = "<command line>";

/// What a reference begins with; any other `${` is the command's own.
const REFERENCES: [&str; 5] = ["NOMAD_", "env.", "attr.", "node.", "meta."];

/// The job file.
pub(crate) fn job_file(command: &[String], flags: &AdHoc) -> JobFile {
    let name = flags.name.clone().unwrap_or_else(|| name(command));
    let mut text = Text::default();
    text.open(&format!("job {}", quote(&name)));
    text.set("type", "\"batch\"");
    text.blank();
    text.open(&format!("group {}", quote(&name)));
    network(&mut text, flags);
    text.open(&format!("task {}", quote(&name)));
    task(&mut text, command, flags);
    for _ in 0..3 {
        text.close();
    }
    JobFile {
        name: NAME.to_owned(),
        text: text.lines,
    }
}

/// The command's own name, as far as a job can have it.
fn name(command: &[String]) -> String {
    let path = command.first().map_or("", String::as_str);
    let base = path.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
            c
        } else {
            '-'
        }
    };
    let name: String = base.chars().take(64).map(plain).collect();
    if name.is_empty() {
        "command".to_owned()
    } else {
        name
    }
}

fn network(text: &mut Text, flags: &AdHoc) {
    if flags.port.is_empty() {
        return;
    }
    text.open("network");
    for port in &flags.port {
        match port.split_once('=') {
            None => text.line(&format!("port {} {{}}", quote(port))),
            Some((label, number)) => {
                text.open(&format!("port {}", quote(label)));
                text.set("static", &number_or_quoted(number));
                text.close();
            }
        }
    }
    text.close();
    text.blank();
}

fn task(text: &mut Text, command: &[String], flags: &AdHoc) {
    text.set("driver", &quote(&flags.driver));
    for (attribute, value) in [
        ("user", &flags.user),
        ("kill_signal", &flags.kill_signal),
        ("kill_timeout", &flags.kill_timeout),
    ] {
        if let Some(value) = value {
            text.set(attribute, &quote(value));
        }
    }
    text.blank();
    config(text, command, flags);
    environment(text, flags);
    resources(text, flags);
    text.blank();
    text.open("restart");
    text.set("attempts", "0");
    text.set("mode", "\"fail\"");
    text.close();
}

fn config(text: &mut Text, command: &[String], flags: &AdHoc) {
    let (first, rest) = command
        .split_first()
        .map_or(("", [].as_slice()), |(first, rest)| (first.as_str(), rest));
    text.open("config");
    text.set("command", &quote_twice(first));
    text.list("args", rest);
    text.list("unveil", &flags.unveil);
    text.list("cap_add", &flags.cap_add);
    if let Some(directory) = &flags.work_dir {
        text.set("work_dir", &quote_twice(directory));
    }
    text.close();
}

fn environment(text: &mut Text, flags: &AdHoc) {
    if flags.env.is_empty() {
        return;
    }
    text.blank();
    text.open("env");
    for variable in &flags.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        text.set(name, &quote(value));
    }
    text.close();
}

fn resources(text: &mut Text, flags: &AdHoc) {
    let given = [
        ("cpu", flags.cpu),
        ("cores", flags.cores),
        ("memory", flags.memory),
        ("memory_max", flags.memory_max),
    ];
    if given.iter().all(|(_, value)| value.is_none()) {
        return;
    }
    text.blank();
    text.open("resources");
    for (attribute, value) in given {
        if let Some(value) = value {
            text.set(attribute, &value.to_string());
        }
    }
    text.close();
}

fn number_or_quoted(text: &str) -> String {
    text.parse::<u64>()
        .map_or_else(|_| quote(text), |number| number.to_string())
}

/// Indented lines.
#[derive(Debug, Default)]
struct Text {
    lines: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: &str) {
        let indent = "  ".repeat(self.depth);
        // Writing to a String cannot fail.
        let _ = writeln!(self.lines, "{indent}{line}");
    }

    fn blank(&mut self) {
        self.lines.push('\n');
    }

    fn open(&mut self, head: &str) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn set(&mut self, attribute: &str, value: &str) {
        self.line(&format!("{attribute} = {value}"));
    }

    fn list(&mut self, attribute: &str, values: &[String]) {
        if !values.is_empty() {
            let values: Vec<_> = values.iter().map(|value| quote_twice(value)).collect();
            self.set(attribute, &format!("[{}]", values.join(", ")));
        }
    }
}

/// A text that is evaluated when the file is read and is no template after that.
fn quote(text: &str) -> String {
    quoted(text, |marks| format!("${{\"{marks}\"}}{{"))
}

/// A value of `config`, which is a template once more on the client: what the file says is a text that says it.
pub(crate) fn quote_twice(text: &str) -> String {
    quoted(text, |marks| format!("$${{\\\"{marks}\\\"}}{{"))
}

/// Text in quotes. `opening` writes what HCL would take for the beginning of a template: some `$` or `%` and a `{`.
fn quoted(text: &str, opening: fn(&str) -> String) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let marks = rest.len() - rest.trim_start_matches(first).len();
        let is_opening = matches!(first, '$' | '%') && rest[marks..].starts_with('{');
        let taken = if let Some(length) = reference(rest) {
            quoted.push_str(&rest[..length]);
            length
        } else if is_opening {
            quoted.push_str(&opening(&rest[..marks]));
            marks + 1
        } else {
            push_plain(&mut quoted, first);
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    quoted.push('"');
    quoted
}

/// How long the reference is that the text begins with: `${NOMAD_PORT_http}`.
fn reference(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("${")?;
    let name = &inner[..inner.find('}')?];
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let known = REFERENCES.iter().any(|known| name.starts_with(known));
    (known && name.chars().all(plain)).then_some(name.len() + 3)
}

fn push_plain(quoted: &mut String, character: char) {
    match character {
        '"' => quoted.push_str("\\\""),
        '\\' => quoted.push_str("\\\\"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        // Writing to a String cannot fail.
        control if control.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(control))),
        other => quoted.push(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn text(arguments: &[&str]) -> String {
        let all = ["encamp", "run"].iter().chain(arguments);
        let cli = Cli::try_parse_from(all).unwrap();
        let Command::Run(run) = cli.command else {
            panic!("not a run");
        };
        job_file(&run.command, &run.adhoc).text
    }

    #[test]
    fn a_command_becomes_a_job() {
        let expected = "\
job \"python3\" {
  type = \"batch\"

  group \"python3\" {
    network {
      port \"http\" {
        static = 8000
      }
      port \"admin\" {}
    }

    task \"python3\" {
      driver = \"exec2\"

      config {
        command = \"/usr/bin/python3\"
        args = [\"-m\", \"http.server\", \"${NOMAD_PORT_http}\"]
        unveil = [\"r:/srv/www\"]
      }

      env {
        A = \"b=c\"
      }

      resources {
        memory = 64
      }

      restart {
        attempts = 0
        mode = \"fail\"
      }
    }
  }
}
";
        let flags = "--unveil r:/srv/www --memory 64 --port http=8000 --port admin --env A=b=c -- /usr/bin/python3 -m http.server";
        let mut arguments: Vec<_> = flags.split(' ').collect();
        arguments.push("${NOMAD_PORT_http}");
        assert_eq!(text(&arguments), expected);
        assert!(jobspec::parse("x", &text(&["--", "true"])).is_ok());
    }

    #[test]
    fn a_name_is_what_a_job_can_have() {
        for (command, expected) in [
            ("/usr/bin/g++", "g--"),
            ("./a b", "a-b"),
            ("/", "command"),
            ("x.sh", "x-sh"),
        ] {
            assert_eq!(name(&[command.to_owned()]), expected);
        }
    }

    #[test]
    fn only_references_stay_templates() {
        assert_eq!(quote_twice("${HOME:-x}"), r#""$${\"$\"}{HOME:-x}""#);
        assert_eq!(quote_twice("%{http_code}"), r#""$${\"%\"}{http_code}""#);
        assert_eq!(quote_twice("$${NOMAD_X}"), r#""$${\"$$\"}{NOMAD_X}""#);
        assert_eq!(quote("${HOME}"), r#""${"$"}{HOME}""#);
        for plain in [
            "$",
            "$x {}",
            "%",
            "${NOMAD_TASK_DIR}/x",
            "${attr.kernel.name}",
        ] {
            assert_eq!(quote_twice(plain), format!("\"{plain}\""));
        }
        assert_eq!(quote("a\"\\\n\u{1}"), r#""a\"\\\n\u0001""#);
        assert_eq!(reference("${NOMAD_}x"), Some(9));
        assert_eq!(reference("${NOMAD_A + 1}"), None);
    }
}
