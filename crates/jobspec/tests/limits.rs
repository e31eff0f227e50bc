//! Little text that asks for much: refused for its size before the work is done, whatever it is that grows.

#![allow(clippy::unwrap_used, reason = "tests")]

use jobspec::{Diagnostic, Inputs, Job, Source, parse, parse_with};

const TOO_LARGE: &str = "E1113";

fn job(head: &str, expression: &str) -> String {
    format!(
        "{head}job \"a\" {{\n task \"b\" {{\n driver = \"exec\"\n env {{\n V = jsonencode({expression})\n }}\n }}\n}}\n"
    )
}

fn refused(result: Result<Job, Vec<Diagnostic>>, what: &str) -> Vec<Diagnostic> {
    match result {
        Ok(_) => panic!("taken: {what}"),
        Err(mistakes) => mistakes,
    }
}

#[test]
fn expressions_that_grow_are_refused() {
    let all = "range(1024)";
    for expression in [
        format!("[for a in {all} : [for b in {all} : [for c in {all} : 1]]]"),
        format!("[for a in {all} : [for b in {all} : [for c in {all} : 1 if false]]]"),
        format!("{{for a in {all} : a => [for b in {all} : {{for c in {all} : c => b}}]}}"),
        format!("setproduct({all}, {all}, {all})"),
        format!("[for a in {all} : setproduct({all}, [1, 2, 3])]"),
        "format(\"%1000000d\", 1) == format(\"%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d\", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)".to_owned(),
        format!("formatlist(\"%1000000s\", {all})"),
        "indent(1000000000, \"a\\nb\")".to_owned(),
        format!("join(format(\"%100000s\", \"\"), {all})"),
        "replace(format(\"%100000s\", \"\"), \" \", format(\"%100000s\", \"\"))".to_owned(),
        "regex_replace(format(\"%100000s\", \"\"), \" *\", \"$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0\")".to_owned(),
        format!("[for a in {all} : md5(format(\"%100000s\", \"\"))]"),
        format!("[for a in {all} : split(\"\", format(\"%10000s\", \"\"))]"),
        format!("[for a in {all} : file(\"/dev/null\")] == [for a in {all} : [for b in {all} : {all}]]"),
        "\"%{ for a in range(1024) }%{ for b in range(1024) }%{ for c in range(1024) }x%{ endfor }%{ endfor }%{ endfor }\"".to_owned(),
        format!("try([for a in {all} : [for b in {all} : [for c in {all} : 1]]], 1)"),
        format!("can([for a in {all} : [for b in {all} : [for c in {all} : 1]]])"),
    ] {
        let mistakes = refused(parse("job.hcl", &job("", &expression)), &expression);
        assert!(mistakes.iter().any(|mistake| mistake.code == TOO_LARGE), "{expression}: {mistakes:?}");
    }
}

#[test]
fn a_password_that_takes_seconds_to_hash_is_refused() {
    let mistakes = refused(parse("job.hcl", &job("", "bcrypt(\"a\", 15)")), "bcrypt");
    assert_eq!(mistakes[0].code, "E1118", "{mistakes:?}");
}

#[test]
fn locals_that_double_each_other_are_refused() {
    for double in [
        "\"${local.PREVIOUS}${local.PREVIOUS}\"",
        "[local.PREVIOUS, local.PREVIOUS]",
        "{ a = local.PREVIOUS, b = local.PREVIOUS }",
        "concat(local.PREVIOUS, local.PREVIOUS)",
    ] {
        let start = if double.starts_with("concat") {
            "[\"xxxxxxxxxxxxxxxx\"]"
        } else {
            "\"xxxxxxxxxxxxxxxx\""
        };
        let locals: String = (1..60)
            .map(|at| {
                format!(
                    "l{at} = {}\n",
                    double.replace("PREVIOUS", &format!("l{}", at - 1))
                )
            })
            .collect();
        let head = format!("locals {{\nl0 = {start}\n{locals}}}\n");
        let mistakes = refused(parse("job.hcl", &job(&head, "local.l59")), double);
        assert!(
            mistakes.iter().any(|mistake| mistake.code == TOO_LARGE),
            "{double}: {mistakes:?}"
        );
    }
}

#[test]
fn collections_that_nest_without_end_are_refused() {
    for nest in [
        "[local.PREVIOUS]",
        "{ a = local.PREVIOUS }",
        "[for x in [1] : local.PREVIOUS]",
        "concat([local.PREVIOUS], [])",
        "zipmap([\"a\"], [local.PREVIOUS])",
        "setproduct([local.PREVIOUS], [1])",
    ] {
        let locals: String = (1..2000)
            .map(|at| {
                format!(
                    "l{at} = {}\n",
                    nest.replace("PREVIOUS", &format!("l{}", at - 1))
                )
            })
            .collect();
        let head = format!("locals {{\nl0 = 1\n{locals}}}\n");
        let mistakes = refused(parse("job.hcl", &job(&head, "local.l1999")), nest);
        assert_eq!(mistakes[0].code, "E1002", "{nest}: {mistakes:?}");
    }
}

#[test]
fn a_long_chain_of_locals_is_evaluated_and_a_long_circle_refused() {
    let chain: String = (1..20_000)
        .map(|at| format!("l{at} = local.l{}\n", at - 1))
        .collect();
    let head = format!("locals {{\nl0 = 1\n{chain}}}\n");
    let job_of = parse("job.hcl", &job(&head, "local.l19999")).unwrap();
    assert_eq!(job_of.groups[0].tasks[0].env["V"], "1");
    let head = format!("locals {{\nl0 = local.l19999\n{chain}}}\n");
    let mistakes = refused(parse("job.hcl", &job(&head, "local.l19999")), "a circle");
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].code, "E1408");
}

#[test]
fn documents_that_grow_are_refused() {
    let lol: String = (1..30)
        .map(|at| format!("l{at}: &l{at} [*l{0}, *l{0}, *l{0}]\\n", at - 1))
        .collect();
    let yaml = format!("yamldecode(\"l0: &l0 [x]\\n{lol}\")");
    let mistakes = refused(parse("job.hcl", &job("", &yaml)), "aliases of aliases");
    assert!(
        mistakes.iter().any(|mistake| mistake.code == TOO_LARGE),
        "{mistakes:?}"
    );
    for (open, close, decode) in [
        ("[", "]", "jsondecode"),
        ("{\\\"a\\\":", "}", "jsondecode"),
        ("[", "]", "yamldecode"),
        ("{a: ", "}", "yamldecode"),
        ("- ", "", "yamldecode"),
    ] {
        let nested = format!(
            "{decode}(\"{}1{}\")",
            open.repeat(50_000),
            close.repeat(50_000)
        );
        let mistakes = refused(parse("job.hcl", &job("", &nested)), open);
        assert_eq!(mistakes[0].code, "E1118", "{open}: {mistakes:?}");
    }
}

#[test]
fn dynamic_blocks_that_grow_are_refused() {
    let nested = |inner: &str| {
        format!(
            "dynamic \"group\" {{\n for_each = range(1024)\n labels = [\"g${{group.value}}\"]\n content {{\n{inner}\n}}\n}}\n"
        )
    };
    let task = "dynamic \"task\" {\n for_each = range(1024)\n labels = [\"t${task.value}\"]\n content {\n driver = \"exec\"\n}\n}";
    let text = format!("job \"a\" {{\n{}}}\n", nested(task));
    let mistakes = refused(parse("job.hcl", &text), "a million tasks");
    assert!(
        mistakes.iter().any(|mistake| mistake.code == TOO_LARGE),
        "{:?}",
        mistakes.len()
    );
}

#[test]
fn values_from_outside_have_the_same_limits() {
    let head = "variable \"a\" {\n type = list(string)\n}\n";
    for (arguments, files, code) in [
        (
            vec![format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000))],
            vec![],
            "E1002",
        ),
        (
            vec![],
            vec![format!("a = {}1{}", "[".repeat(10_000), "]".repeat(10_000))],
            "E1002",
        ),
        (
            vec![],
            vec![format!(
                "{{\"a\": {}1{}}}",
                "[".repeat(10_000),
                "]".repeat(10_000)
            )],
            "E1410",
        ),
        (vec![], vec![" ".repeat((16 << 20) + 1)], "E1010"),
        (vec!["x".repeat((16 << 20) + 1)], vec![], "E1010"),
    ] {
        let inputs = Inputs {
            arguments: arguments
                .into_iter()
                .map(|value| ("a".to_owned(), value))
                .collect(),
            files: files
                .into_iter()
                .map(|text| Source {
                    name: "vars".to_owned(),
                    text,
                })
                .collect(),
            ..Inputs::default()
        };
        let mistakes = refused(parse_with("job.hcl", &job(head, "var.a"), &inputs), code);
        assert_eq!(mistakes[0].code, code, "{:?}", mistakes[0]);
    }
}

#[test]
fn a_file_of_a_thousand_tasks_is_read() {
    let task = |at: usize| {
        format!(
            "  task \"t{at}\" {{\n    driver = \"exec\"\n    config {{\n      command = \"/bin/echo\"\n      args    = [\"hello ${{upper(var.name)}}\", \"${{NOMAD_TASK_NAME}}\"]\n    }}\n    env {{\n      A = \"${{local.tag}}-{at}\"\n      B = join(\",\", [for x in range(3) : \"n${{x}}\"])\n    }}\n  }}\n"
        )
    };
    let tasks: String = (0..1000).map(task).collect();
    let text = format!(
        "variable \"name\" {{\n  default = \"x\"\n}}\nlocals {{\n  tag = \"t\"\n}}\njob \"a\" {{\n{tasks}}}\n"
    );
    let job = parse("job.hcl", &text).unwrap();
    assert_eq!(job.groups.len(), 1000);
    assert_eq!(job.groups[999].tasks[0].env["A"], "t-999");
}
