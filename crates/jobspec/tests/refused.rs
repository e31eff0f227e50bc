//! What is refused, and where the reader is sent to.

#![allow(clippy::unwrap_used, reason = "tests")]

use jobspec::{Diagnostic, Inputs, Scope, Source, evaluate, parse, parse_with};

fn job(head: &str, task: &str) -> String {
    format!("{head}job \"a\" {{\n task \"b\" {{\n driver = \"exec\"\n{task}\n }}\n}}\n")
}

fn mistakes(text: &str) -> Vec<Diagnostic> {
    parse("job.hcl", text).expect_err(text)
}

fn given(head: &str, value: &str, file: &str) -> Result<String, Vec<Diagnostic>> {
    let inputs = Inputs {
        files: vec![Source {
            name: "vars.json".to_owned(),
            text: file.to_owned(),
        }],
        ..Inputs::default()
    };
    let text = job(head, &format!("env {{\n V = jsonencode({value})\n}}"));
    parse_with("job.hcl", &text, &inputs).map(|job| job.groups[0].tasks[0].env["V"].clone())
}

#[test]
fn a_nul_leaves_no_function_and_no_file() {
    for expression in [
        "base64decode(\"AA==\")",
        "jsondecode(\"\\\"\\\\u0000\\\"\")",
        "yamldecode(\"\\\"\\\\0\\\"\")",
        "\"a${base64decode(\"AA==\")}\"",
    ] {
        for task in [
            format!("user = {expression}"),
            format!("env {{\n A = {expression}\n}}"),
            format!("config {{\n args = [\"a\", {expression}]\n}}"),
            format!("config {{\n args = [{{ ({expression}) = 1 }}]\n}}"),
        ] {
            let mistakes = mistakes(&job("", &task));
            assert_eq!(mistakes[0].code, "E1106", "{task}: {mistakes:?}");
        }
    }
    let head = "variable \"a\" {}\n";
    let mistakes = given(head, "upper(var.a)", r#"{"a": "\u0000"}"#);
    assert_eq!(
        mistakes.unwrap(),
        r#""\u0000""#,
        "it is text until it is used"
    );
    let text = job(
        "",
        "config {\n v = \"$${jsondecode(\\\"\\\\\\\"\\\\\\\\u0000\\\\\\\"\\\")}\"\n}",
    );
    let config = parse("job.hcl", &text).unwrap();
    let config = &config.groups[0].tasks[0].config;
    let mistakes = evaluate(config, &Scope::default()).unwrap_err();
    assert_eq!(mistakes[0].code, "E1106", "{mistakes:?}");
}

#[test]
fn no_function_has_a_namespace() {
    for expression in [
        "x::try(1)",
        "x::can(1)",
        "x::y::upper(\"a\")",
        "convert(1, x::list(string))",
        "convert({}, object({ a = x::optional(string) }))",
    ] {
        let mistakes = mistakes(&job("", &format!("env {{\n A = {expression} == 1\n}}")));
        assert_eq!(mistakes[0].code, "E1115", "{expression}: {mistakes:?}");
        assert!(
            mistakes[0].detail.contains("namespace \"x::"),
            "{mistakes:?}"
        );
    }
}

#[test]
fn what_try_has_tried_is_where_it_is_written() {
    let text = job("", "env {\n A = <<EOT\nfirst\n  ${try({}.missing)}\nEOT\n}");
    let place = text.find(".missing").unwrap();
    let line = text[..place].matches('\n').count() + 1;
    let mistakes = mistakes(&text);
    let expected = format!("(at job.hcl:{line},11-19)");
    assert!(
        mistakes[0].detail.contains(&expected),
        "{expected}: {mistakes:?}"
    );
}

#[test]
fn logs_that_nobody_speaks_of_take_room_too() {
    let group = |disk: &str| {
        format!(
            "job \"a\" {{\n group \"g\" {{\n{disk}\n task \"b\" {{\n driver = \"exec\"\n}}\n}}\n}}\n"
        )
    };
    let text = group("ephemeral_disk {\n size = 100\n}");
    let mistakes = mistakes(&text);
    assert_eq!(mistakes[0].code, "E1331", "{mistakes:?}");
    assert_eq!(&text[mistakes[0].span.clone()], "task \"b\"");
    parse("job.hcl", &group("ephemeral_disk {\n size = 101\n}")).unwrap();
}

#[test]
fn a_value_in_json_is_found_by_its_key() {
    let head = "variable \"a\" {\n type = number\n}\nvariable \"b\" {\n}\n";
    let file = "\u{feff}\n {\"b\": \"a\", \"c\": {\"a\": 1}, \"\\u0061\": \"x\"}";
    let mistakes = given(head, "1", file).unwrap_err();
    let shown: Vec<String> = mistakes
        .iter()
        .map(|mistake| mistake.one_line("", "").to_string())
        .collect();
    let of = |part: &str| shown.iter().any(|line| line.starts_with(part));
    assert!(
        of("vars.json:2,28-36: Invalid value for variable"),
        "{shown:?}"
    );
    assert!(of("vars.json:2,13-16: Undefined variable"), "{shown:?}");
}

#[test]
fn a_large_file_of_json_is_read_in_one_go() {
    let keys: String = (0..100_000)
        .map(|at| format!("\"k{at}\": {at}, "))
        .collect();
    let file = format!("{{{keys}\"a\": 1}}");
    let text = job("variable \"a\" {}\n", "user = var.a");
    let inputs = Inputs {
        files: vec![Source {
            name: "vars.json".to_owned(),
            text: file,
        }],
        undeclared: jobspec::Undeclared::Ignored,
        ..Inputs::default()
    };
    let job = parse_with("job.hcl", &text, &inputs).unwrap();
    assert_eq!(job.groups[0].tasks[0].user.as_ref().unwrap().value, "1");
}

#[test]
fn digits_of_json_are_kept_or_refused() {
    let head = "variable \"a\" {\n default = 1\n}\n";
    assert_eq!(
        given(head, "var.a", "{\"a\": 1.5e-30}").unwrap(),
        "0.0000000000000000000000000000015"
    );
    for digits in ["3.14159265358979323846", "1e-400"] {
        let file = format!("{{\"a\": {digits}}}");
        let mistakes = given(head, "var.a", &file).unwrap_err();
        assert_eq!(mistakes[0].code, "E1410", "{mistakes:?}");
        let text = job("", &format!("env {{\n A = jsondecode(\"{digits}\")\n}}"));
        let mistakes = self::mistakes(&text);
        assert!(mistakes[0].detail.contains(digits), "{mistakes:?}");
    }
}

#[test]
fn a_pipe_is_no_file_and_nobody_waits_for_it() {
    let directory = std::env::temp_dir().join(format!("jobspec-pipe-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(directory.join("pipe"))
        .status();
    assert!(made.unwrap().success());
    let inputs = Inputs {
        base: Some(directory.clone()),
        ..Inputs::default()
    };
    let text = job("", "user = file(\"pipe\")");
    let mistakes = parse_with("job.hcl", &text, &inputs).unwrap_err();
    std::fs::remove_dir_all(&directory).unwrap();
    let detail = &mistakes[0].detail;
    assert!(detail.contains("not a regular file"), "{detail}");
}
