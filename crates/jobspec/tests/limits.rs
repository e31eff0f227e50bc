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
        format!("[for a in {all} : format(\"%65535d\", 1)]"),
        format!("formatlist(\"%65535s\", {all})"),
        "indent(1000000000, \"a\\nb\")".to_owned(),
        format!("join(format(\"%60000s\", \"\"), {all})"),
        "replace(format(\"%60000s\", \"\"), \" \", format(\"%60000s\", \"\"))".to_owned(),
        format!("regex_replace(format(\"%60000s\", \"\"), \" *\", \"{}\")", "$0".repeat(1000)),
        format!("[for a in {all} : md5(format(\"%60000s\", \"\"))]"),
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

/// Behind work of that many steps, so that there is little time to wait for the rest.
fn after(steps: u32, expression: &str) -> String {
    job("", &format!("[indent({steps}, \"a\"), {expression}]"))
}

#[test]
fn work_that_shows_in_no_result_counts() {
    let wide: String = (0..1000)
        .map(|at| format!("a{at} = optional(string), "))
        .collect();
    for expression in [
        // Each pattern is compiled anew.
        "[for a in range(1024) : regex_replace(\"\", \"a\", \"\")] == []".to_owned(),
        // Each match looks for an x to the end of the text.
        "regex_replace(format(\"%30000s\", \"\"), \" ( *x)?\", \"\")".to_owned(),
        // Each object has a thousand attributes, each null has the type of all of them.
        format!("convert([for a in range(1024) : {{}}], list(object({{ {wide} }}))) == null"),
        format!("convert([for a in range(1024) : null], list(object({{ {wide} }}))) == null"),
        format!("convert([for a in range(1024) : []], list(list(object({{ {wide} }})))) == null"),
    ] {
        let text = after(33_000_000, &expression);
        let mistakes = refused(parse("job.hcl", &text), &expression);
        assert_eq!(mistakes[0].code, TOO_LARGE, "{expression}: {mistakes:?}");
    }
}

/// A key of 8192 bits in DER, of all ones and good for nothing: version, modulus, public and private exponent.
fn long_key() -> String {
    let modulus = [[0x02, 0x82, 0x04, 0x01, 0].as_slice(), &[0xff; 1024]].concat();
    let numbers = [[2, 1, 0].as_slice(), &modulus, &[2, 1, 3], &[2, 1, 3]].concat();
    let length = u16::try_from(numbers.len()).unwrap().to_be_bytes();
    let der = [[0x30, 0x82].as_slice(), &length, &numbers].concat();
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der)
}

#[test]
fn a_long_key_counts_for_more_than_a_short_one() {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [1; 1024]);
    let key = format!(
        "-----BEGIN RSA PRIVATE KEY-----\\n{}\\n-----END RSA PRIVATE KEY-----",
        long_key()
    );
    let once = format!("try(rsadecrypt(\"{text}\", \"{key}\"), \"\")");
    parse("job.hcl", &after(30_000_000, &once)).unwrap();
    let twice = after(30_000_000, &format!("{once} == {once}"));
    let mistakes = refused(parse("job.hcl", &twice), "two decryptions");
    assert_eq!(mistakes[0].code, TOO_LARGE, "{mistakes:?}");
}

#[test]
fn patterns_that_a_person_writes_are_compiled() {
    for pattern in [
        "(\\\\w+)\\\\s(\\\\w+)",
        "^[\\\\w.-]+@[\\\\w.-]+\\\\.\\\\w{2,10}$",
    ] {
        let expression = format!("regex_replace(\"a.b@example.com\", \"{pattern}\", \"$1\")");
        parse("job.hcl", &job("", &expression)).unwrap();
    }
}

#[test]
fn types_that_have_nothing_in_common_are_found_out_soon() {
    let items = "flatten([for a in range(60) : range(1000)])";
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(50), "]".repeat(50));
    for expression in [
        format!("distinct(concat({items}, [[]]))"),
        format!("distinct([{}, {}])", deep("1"), deep("[]")),
        format!("true ? {} : {}", deep("1"), deep("{}")),
    ] {
        refused(parse("job.hcl", &job("", &expression)), &expression);
    }
}

#[test]
fn a_list_of_what_becomes_text_is_one_of_texts() {
    let read = parse("job.hcl", &job("", "distinct([1, true, \"a\", 2, \"1\"])")).unwrap();
    let env = &read.groups[0].tasks[0].env;
    assert_eq!(env["V"], r#"["1","true","a","2"]"#);
}

#[test]
fn a_password_that_takes_seconds_to_hash_is_refused() {
    for (cost, words) in [
        (15, "14 is the most"),
        (31, "14 is the most"),
        (32, "range 4..31"),
    ] {
        let expression = format!("bcrypt(\"a\", {cost})");
        let mistakes = refused(parse("job.hcl", &job("", &expression)), &expression);
        assert_eq!(mistakes[0].code, "E1118", "{mistakes:?}");
        assert!(mistakes[0].detail.contains(words), "{mistakes:?}");
    }
}

#[test]
fn a_width_that_nobody_can_write_is_refused() {
    for letter in ["d", "s", "q", "v", "t", "e", "f", "g", "G", "x"] {
        for verb in ["%.65536", "%65536", "%.99999999999"] {
            let expression = format!("format(\"{verb}{letter}\", 1)");
            let mistakes = refused(parse("job.hcl", &job("", &expression)), &expression);
            assert_eq!(mistakes[0].code, "E1118", "{mistakes:?}");
        }
    }
    parse("job.hcl", &job("", "format(\"%.65535f\", 1)")).unwrap();
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
fn locals_that_refer_to_what_others_refer_to_pay_for_it() {
    let chain: String = (1..3000)
        .map(|at| {
            format!(
                "l{at} = length([local.l{}, NOMAD_META_a_rather_long_name_{at}])\n",
                at - 1
            )
        })
        .collect();
    let head = format!("locals {{\nl0 = 1\n{chain}}}\n");
    let mistakes = refused(parse("job.hcl", &job(&head, "local.l2999")), "a chain");
    assert_eq!(mistakes[0].code, TOO_LARGE, "{:?}", mistakes[0]);
}

#[test]
fn many_locals_of_all_locals_are_one_circle_and_one_is_none() {
    let many: String = (0..20_000).map(|at| format!("l{at} = [local]\n")).collect();
    let head = format!("locals {{\n{many}}}\n");
    let mistakes = refused(parse("job.hcl", &job(&head, "1")), "all of all");
    assert_eq!(mistakes.len(), 1, "{:?}", mistakes[0]);
    assert_eq!(mistakes[0].code, "E1408");
    let head = "locals {\n all = local\n a = 1\n b = local.a + 1\n}\n";
    let read = parse("job.hcl", &job(head, "local.all")).unwrap();
    assert_eq!(read.groups[0].tasks[0].env["V"], r#"{"a":1,"b":2}"#);
    let head = "locals {\n all = [local, local.all]\n a = 1\n}\n";
    let mistakes = refused(parse("job.hcl", &job(head, "1")), "itself");
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
