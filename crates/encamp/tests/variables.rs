//! Values for the variables of a job file: `-var`, `-var-file`, `NOMAD_VAR_…`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const JOB: &str = r#"variable "who" {
  type = string
}
variable "list" {
  type    = list(map(number))
  default = []
}
variable "port" {
  type    = number
  default = 80
}
job "a" {
  task "t" {
    driver = "exec"
    user   = "nobody"
    config {
      command = "/bin/echo"
      args    = [upper(var.who), var.port, chomp(file("greeting.txt"))]
    }
  }
}
"#;

/// A directory with a job file and what goes with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("encamp-variables-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let place = Place(path);
        place.write("a.nomad.hcl", JOB);
        place.write("greeting.txt", "hello\n");
        place
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn validate(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_encamp"))
            .arg("validate")
            .arg(self.0.join("a.nomad.hcl"))
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(Path::new("/"))
            .output()
            .unwrap()
    }

    fn told(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let output = self.validate(arguments, environment);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_variable_is_set_by_a_flag_a_file_or_the_environment() {
    let place = Place::new("set");
    let hcl = place.write("values.hcl", "who = \"x\"\n");
    let json = place.write("values.json", "{\"who\": \"x\", \"port\": 81}");
    for arguments in [
        vec!["-var", "who=x"],
        vec!["-var=who=x=y"],
        vec!["-var", "who=x", "-var", "list= [{ a = 1, b = \"2\" }, {}]"],
        vec!["--var", "who=", "--var", "port=0x"],
        vec!["-var-file", hcl.to_str().unwrap()],
        vec!["--var-file", json.to_str().unwrap(), "-var", "port=3"],
    ] {
        let (code, told) = place.told(&arguments, &[]);
        let expected = if arguments.contains(&"port=0x") {
            Some(1)
        } else {
            Some(0)
        };
        assert_eq!(code, expected, "{arguments:?}: {told}");
    }
    assert_eq!(place.told(&[], &[("NOMAD_VAR_who", "x")]).0, Some(0));
}

#[test]
fn standard_input_is_one_file_only() {
    let place = Place::new("stdin");
    let (code, told) = place.told(&["-var-file", "-", "-var-file", "-"], &[]);
    assert_eq!(code, Some(1));
    assert!(told.contains("standard input can be read once"), "{told}");
}

#[test]
fn what_is_not_set_or_not_declared_is_said_with_its_place() {
    let place = Place::new("unset");
    let (code, told) = place.told(&[], &[]);
    assert_eq!(code, Some(1));
    assert!(
        told.contains("a.nomad.hcl:1,1-15: Unset variable \"who\""),
        "{told}"
    );
    let values = place.write("values.hcl", "who = \"x\"\nprot = 1\n");
    let (code, told) = place.told(
        &["-var", "hwo=1", "-var-file", values.to_str().unwrap()],
        &[],
    );
    assert_eq!(code, Some(1));
    assert!(
        told.contains("-var:1,1-4: Undefined -var variable; "),
        "{told}"
    );
    assert!(
        told.contains("values.hcl:2,8-9: Undefined variable; "),
        "{told}"
    );
    let arguments = [
        "-hcl2-strict=false",
        "-var",
        "hwo=1",
        "-var-file",
        values.to_str().unwrap(),
    ];
    assert_eq!(place.told(&arguments, &[]).0, Some(0));
    // Of the environment nobody knows what it is for.
    assert_eq!(
        place
            .told(&["-var", "who=1"], &[("NOMAD_VAR_nosuch", "1")])
            .0,
        Some(0)
    );
}

#[test]
fn a_value_that_does_not_fit_is_said_with_where_it_came_from() {
    let place = Place::new("misfit");
    let values = place.write("values.hcl", "port = [1]\n");
    for (arguments, environment, expected) in [
        (
            vec!["-var", "who=x", "-var", "port=http"],
            vec![],
            "-var:1,6-10: Invalid argument value for -var variable; ",
        ),
        (
            vec!["-var", "who=x", "-var-file", values.to_str().unwrap()],
            vec![],
            "values.hcl:1,8-11: Invalid value for variable; ",
        ),
        (
            vec!["-var", "who=x"],
            vec![("NOMAD_VAR_port", "http")],
            "NOMAD_VAR_port:1,1-5: Invalid value for variable; ",
        ),
    ] {
        let (code, told) = place.told(&arguments, &environment);
        assert_eq!(code, Some(1));
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn files_of_values_that_are_none_are_refused() {
    let place = Place::new("files");
    for (name, text, expected) in [
        (
            "declared.hcl",
            "variable \"who\" {\n}\n",
            ":1,1-9: Variable declaration in a .var file; ",
        ),
        (
            "block.hcl",
            "job \"a\" {\n}\n",
            ":1,1-4: Unexpected \"job\" block; ",
        ),
        (
            "call.hcl",
            "who = upper(\"x\")\n",
            ":1,7-17: Function calls not allowed; ",
        ),
        (
            "name.hcl",
            "who = NOMAD_X\n",
            ":1,7-14: Variables not allowed; ",
        ),
        (
            "broken.hcl",
            "who = \"x\n",
            ":1,7-9: Invalid multi-line string; ",
        ),
        (
            "broken.json",
            "{\"who\": }",
            "broken.json:1,1-10: Invalid variable file; ",
        ),
        (
            "list.json",
            " {\"who\": 1} 2",
            "list.json:1,1-14: Invalid variable file; ",
        ),
    ] {
        let path = place.write(name, text);
        let (code, told) = place.told(&["-var-file", path.to_str().unwrap()], &[]);
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(told.contains(expected), "{name}: {told}");
    }
    let (code, told) = place.told(&["-var-file", "/nosuch.hcl"], &[]);
    assert_eq!(code, Some(1));
    assert!(
        told.contains("cannot read the variables in /nosuch.hcl"),
        "{told}"
    );
}

#[test]
fn a_text_of_more_than_16_mib_is_refused_at_once() {
    let place = Place::new("large");
    let large = place.write("large.hcl", &" ".repeat((16 << 20) + 1));
    let (code, told) = place.told(
        &["-var", "who=x", "-var-file", large.to_str().unwrap()],
        &[],
    );
    assert_eq!(code, Some(1));
    assert!(told.contains("large.hcl:1,1-1: File too large; "), "{told}");
}

#[test]
fn machines_are_told_which_text_a_mistake_is_in() {
    let place = Place::new("json");
    let output = place.validate(&["-var", "who=x", "-var", "port=http", "--json"], &[]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["diagnostics"][0]["range"]["file"], "-var");
    assert_eq!(document["diagnostics"][0]["code"], "E1406");
}
