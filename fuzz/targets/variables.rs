//! Any text as a file of variables, and as a value of `-var`.
#![no_main]

use jobspec::{Inputs, Source, Undeclared};
use libfuzzer_sys::fuzz_target;

const JOB: &str = r#"variable "s" {
  type    = string
  default = ""
  validation {
    condition     = length(split(",", var.s)) < 5
    error_message = "Too many."
  }
}
variable "n" {
  default = 1
}
variable "l" {
  type    = list(string)
  default = []
}
variable "m" {
  type    = map(set(number))
  default = {}
}
variable "o" {
  type    = object({ a = tuple([bool]) })
  default = { a = [true] }
}
job "a" {
  task "b" {
    driver = "exec"
    env {
      V = jsonencode([var.s, var.n, var.l, var.m, var.o])
    }
  }
}
"#;

fuzz_target!(|written: &str| {
    let file = Source {
        name: "vars".to_owned(),
        text: written.to_owned(),
    };
    check(&Inputs {
        files: vec![file],
        undeclared: Undeclared::Ignored,
        ..Inputs::default()
    });
    let arguments = ["s", "n", "l", "m", "o"].map(|name| (name.to_owned(), written.to_owned()));
    check(&Inputs {
        arguments: arguments.to_vec(),
        ..Inputs::default()
    });
});

fn check(inputs: &Inputs) {
    let Err(mistakes) = jobspec::parse_with("job.hcl", JOB, inputs) else {
        return;
    };
    assert!(!mistakes.is_empty(), "refused without a reason");
    for mistake in mistakes {
        let (_, text) = mistake.place_in("job.hcl", JOB);
        assert!(text.get(mistake.span.clone()).is_some(), "{mistake:?}");
        assert!(!mistake.one_line("job.hcl", JOB).to_string().contains('\n'));
    }
}
