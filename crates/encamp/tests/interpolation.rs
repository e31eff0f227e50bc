//! `${…}` in job files, from the file to what a real task prints.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::process::{Command, Output};

use world::{World, root};

const DRIVERS: [&str; 2] = ["exec", "exec2"];

/// What `echo` prints of an argument, in both drivers.
const PRINTED: [(&str, &str); 19] = [
    ("${FOO}", "foo"),
    ("$${FOO}", "foo"),
    ("$$$${FOO}", "$${FOO}"),
    ("${NOMAD_TASK_NAME}", "t"),
    ("${NOMAD_META_k}", "meta-k"),
    ("${env.FOO}", "foo"),
    ("${attr.kernel.name}", "linux"),
    ("${attr.driver.exec}", "1"),
    ("${node.datacenter}", "dc1"),
    ("${node.class}", ""),
    ("${node.pool}", "default"),
    ("${BAR}", "foox"),
    ("${BAZ}", "${FOO}x"),
    ("$FOO", "$FOO"),
    ("%{if true}y%{endif}", "y"),
    ("${1+1}", "2"),
    ("x${EMPTY}y", "xy"),
    // Of the name at first, and of the value only when the name is known.
    ("${upper(NOMAD_JOB_NAME)}", "j"),
    ("$${upper(NOMAD_JOB_NAME)}", "J"),
];

/// Refused before anything is made: the argument, and what is said of it from its column on.
const REFUSED: [(&str, &str); 5] = [
    (
        "${NOMAD_PORT_http}",
        "28-43: Unknown variable; There is no variable named \"NOMAD_PORT_http\".",
    ),
    (
        "${nope}",
        "28-32: Unknown variable; There is no variable named \"nope\". Did you mean \"node\"?",
    ),
    (
        "${attr.zz}",
        "32-35: Unsupported attribute; This object does not have an attribute named \"zz\".",
    ),
    (
        "$${FOO:-x}",
        "27-36: Extra characters after interpolation expression; Template interpolation doesn't expect a colon at this location.",
    ),
    (
        "${FOO:-x}",
        "26-35: Shell syntax inside HCL; HCL reads ${FOO:-x} as a template of its own",
    ),
];

/// A job whose task prints its arguments, each on a line; the arguments are on line 9.
fn job(driver: &str, args: &str, more: &str) -> String {
    format!(
        r#"job "j" {{
  type = "batch"
  group "g" {{
    restart {{ attempts = 0 }}
    task "t" {{
      driver = "{driver}"
      config {{
        command = "printf"
        args = ["%s\n", {args}]
        {more}
      }}
      meta {{ k = "meta-k" }}
      env = {{ FOO = "foo", BAR = "${{FOO}}x", BAZ = "$${{FOO}}x", EMPTY = "" }}
    }}
  }}
}}
"#
    )
}

#[track_caller]
fn printed(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

impl World {
    /// Under a name that messages have, in this directory.
    fn command(&self, verb: &str, text: &str) -> Command {
        self.write("job.nomad.hcl", text);
        let mut command = self.encamp(&[verb, "job.nomad.hcl"]);
        command.current_dir(&self.dir);
        command
    }

    fn once(&self, text: &str) -> Output {
        self.command("run", text).arg("--rm").output().unwrap()
    }
}

#[track_caller]
fn assert_refused(output: &Output, case: &str, expected: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{case}: {said}");
    let expected = format!("job.nomad.hcl:9,{expected}");
    assert!(said.starts_with(&expected), "{case}:\n{expected}\n{said}");
}

#[test]
fn a_task_gets_its_arguments_as_nomad_evaluates_them() {
    if !root() {
        return;
    }
    let args: Vec<_> = PRINTED
        .iter()
        .map(|(case, _)| format!("\"{case}\""))
        .collect();
    let expected: String = PRINTED
        .iter()
        .map(|(_, text)| format!("{text}\n"))
        .collect();
    for driver in DRIVERS {
        let world = World::new();
        let output = world.once(&job(driver, &args.join(", "), ""));
        assert_eq!(printed(&output), expected, "{driver}");
    }
}

#[test]
fn the_directories_are_those_that_the_task_sees() {
    if !root() {
        return;
    }
    for driver in DRIVERS {
        let world = World::new();
        let text = job(driver, "", "").replace("printf", "/bin/sh").replace(
            "\"%s\\n\", ",
            "\"-c\", \"test \\\"$1\\\" = \\\"$NOMAD_TASK_DIR\\\" && test -d \\\"$1\\\" && echo same\", \"sh\", NOMAD_TASK_DIR",
        );
        assert_eq!(printed(&world.once(&text)), "same\n", "{driver}");
    }
}

#[test]
fn an_unveil_entry_may_name_the_tasks_directories() {
    if !root() {
        return;
    }
    let world = World::new();
    let unveil = "unveil = [\"r:${NOMAD_ALLOC_DIR}/data\", \"rwc:${NOMAD_TASK_DIR}\"]";
    let output = world.once(&job(
        "exec2",
        "\"--directory\", \"${NOMAD_TASK_DIR}\"",
        unveil,
    ));
    let said = printed(&output);
    assert!(said.starts_with("--directory\n/"), "{said}");
    assert!(said.ends_with("-t/local\n"), "{said}");
    let missing = "unveil = [\"r:${NOMAD_ALLOC_DIR}/nothing\"]";
    let output = world.once(&job("exec2", "\"x\"", missing));
    assert_ne!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/alloc/nothing"), "{said}");
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_its_place_and_nothing_is_made() {
    if !root() {
        return;
    }
    for driver in DRIVERS {
        let world = World::new();
        for (case, expected) in REFUSED {
            let output = world.once(&job(driver, &format!("\"{case}\""), ""));
            assert_refused(&output, case, expected);
        }
        assert!(!world.dir.join("data").exists(), "something was made");
    }
}

#[test]
fn validate_evaluates_as_far_as_it_can_know() {
    for driver in DRIVERS {
        let world = World::new();
        let args: Vec<_> = PRINTED
            .iter()
            .map(|(case, _)| format!("\"{case}\""))
            .collect();
        let known = "\"${NOMAD_ALLOC_ID}${NOMAD_TASK_DIR}${NOMAD_PARENT_CGROUP}\"";
        let text = job(driver, &format!("{}, {known}", args.join(", ")), "");
        let output = world.command("validate", &text).output().unwrap();
        printed(&output);
        for (case, expected) in REFUSED {
            let text = job(driver, &format!("\"{case}\""), "");
            let output = world.command("validate", &text).output().unwrap();
            assert_refused(&output, case, expected);
        }
    }
}
