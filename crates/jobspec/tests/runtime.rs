//! `config` evaluated twice, as Nomad does it: when the file is read, and when the task's environment is known.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use jobspec::{Diagnostic, Job, Scope, Value, evaluate, parse};

/// What a case comes to.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The argument that the task gets.
    Gets(&'static str),
    /// Refused when the file is read.
    Unread(&'static str),
    /// Refused when the task's environment is known.
    Refused(&'static str),
}

use End::{Gets, Refused, Unread};

/// What a real Nomad 2.0.6 gave a task of the driver `exec` for `args = ["echo", "<case>"]`, with the job's
/// `meta { k = "meta-k" }` and `env { FOO = "foo", BAR = "${FOO}x", BAZ = "$${FOO}x", EMPTY = "" }`. Of a message the
/// beginning; a summary and a detail stand with a colon between them.
const CASES: [(&str, End); 45] = [
    ("$${FOO}", Gets("foo")),
    ("${FOO}", Gets("foo")),
    ("$$$${FOO}", Gets("$${FOO}")),
    (
        "$${FOO:-x}",
        Refused(
            "Extra characters after interpolation expression: Template interpolation doesn't expect a colon at this location.",
        ),
    ),
    (
        "${nope}",
        Refused("Unknown variable: There is no variable named \"nope\". Did you mean \"node\"?"),
    ),
    (
        "$${nope}",
        Refused("Unknown variable: There is no variable named \"nope\". Did you mean \"node\"?"),
    ),
    ("${NOMAD_TASK_NAME}", Gets("t")),
    ("${NOMAD_META_k}", Gets("meta-k")),
    ("${NOMAD_META_K}", Gets("meta-k")),
    (
        "${NOMAD_META_zz}",
        Refused(
            "Unknown variable: There is no variable named \"NOMAD_META_zz\". Did you mean \"NOMAD_META_k\"?",
        ),
    ),
    (
        "${meta.k}",
        Refused("Unsupported attribute: This object does not have an attribute named \"k\"."),
    ),
    (
        "${meta.zz}",
        Refused("Unsupported attribute: This object does not have an attribute named \"zz\"."),
    ),
    ("${env.FOO}", Gets("foo")),
    ("${attr.kernel.name}", Gets("linux")),
    (
        "${attr.zz}",
        Refused("Unsupported attribute: This object does not have an attribute named \"zz\"."),
    ),
    ("${attr.cpu.numcores}", Gets("2")),
    ("${node.datacenter}", Gets("dc1")),
    ("${node.class}", Gets("")),
    ("${node.pool}", Gets("default")),
    ("${BAR}", Gets("foox")),
    ("${BAZ}", Gets("${FOO}x")),
    ("$FOO", Gets("$FOO")),
    (
        "%%{if}",
        Refused(
            "Invalid expression: Expected the start of an expression, but found an invalid expression token. * Unexpected end of template: The if directive",
        ),
    ),
    ("%{if true}y%{endif}", Gets("y")),
    ("${upper(\"a\")}", Gets("A")),
    ("$${upper(NOMAD_JOB_NAME)}", Gets("Q26")),
    ("${upper(NOMAD_JOB_NAME)}", Gets("q26")),
    ("${NOMAD_CPU_LIMIT}", Gets("100")),
    ("${NOMAD_CPU_CORES}", Gets(" ")),
    ("${1+1}", Gets("2")),
    ("a${\"b\"}c", Gets("abc")),
    ("${NOMAD_ALLOC_INDEX}", Gets("0")),
    (
        "${env[NOMAD_TASK_NAME]}",
        Unread("Invalid index: This value does not have any indices."),
    ),
    (
        "${WITH.DOT}",
        Refused("Unknown variable: There is no variable named \"WITH\". Did you mean \"PATH\"?"),
    ),
    ("${env.EMPTY}", Gets("")),
    ("${EMPTY}", Gets("")),
    ("x${EMPTY}y", Gets("xy")),
    ("${PATH}", Gets("/usr/bin")),
    ("${HOME}", Gets("/root")),
    ("$$", Gets("$$")),
    ("${\"$$\"}{FOO:-x}", Gets("${FOO:-x}")),
    ("${\"%%\"}{http_code}", Gets("%{http_code}")),
    (
        "$${",
        Refused(
            "Missing expression: Expected the start of an expression, but found the end of the file.",
        ),
    ),
    (
        "${NOMAD_PORT_nope}",
        Refused("Unknown variable: There is no variable named \"NOMAD_PORT_nope\"."),
    ),
    ("${node.unique.name}x", Gets("vmx")),
];

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// What that Nomad knew.
fn scope() -> Scope {
    Scope {
        env: map(&[
            ("BAR", "foox"),
            ("BAZ", "${FOO}x"),
            ("EMPTY", ""),
            ("FOO", "foo"),
            ("HOME", "/root"),
            ("NOMAD_ALLOC_DIR", "/alloc"),
            ("NOMAD_ALLOC_INDEX", "0"),
            ("NOMAD_CPU_CORES", " "),
            ("NOMAD_CPU_LIMIT", "100"),
            ("NOMAD_JOB_NAME", "q26"),
            ("NOMAD_META_K", "meta-k"),
            ("NOMAD_META_k", "meta-k"),
            ("NOMAD_SECRETS_DIR", "/secrets"),
            ("NOMAD_TASK_DIR", "/local"),
            ("NOMAD_TASK_NAME", "t"),
            ("PATH", "/usr/bin"),
        ]),
        attr: map(&[
            ("cpu.numcores", "2"),
            ("driver.exec", "1"),
            ("kernel.name", "linux"),
            ("unique.storage.bytesfree", "1"),
        ]),
        node: map(&[
            ("class", ""),
            ("datacenter", "dc1"),
            ("pool", "default"),
            ("unique.name", "vm"),
        ]),
        meta: map(&[("connect.log_level", "info")]),
    }
}

fn file(config: &str) -> String {
    format!(
        "job \"q26\" {{\n  task \"t\" {{\n    driver = \"exec\"\n    config {{\n{config}\n    }}\n  }}\n}}\n"
    )
}

fn read(text: &str) -> Result<Job, Vec<Diagnostic>> {
    parse("job.hcl", text)
}

fn config(text: &str) -> Result<BTreeMap<String, Value>, Vec<Diagnostic>> {
    let job = read(text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:#?}"));
    evaluate(&job.groups[0].tasks[0].config, &scope())
}

/// The one value of `v`.
fn value(expression: &str) -> Value {
    let text = file(&format!("v = {expression}"));
    let mut values = config(&text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:#?}"));
    values.remove("v").unwrap()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn refused(expression: &str) -> (String, Vec<Diagnostic>) {
    let text = file(&format!("v = {expression}"));
    match config(&text) {
        Ok(values) => panic!("{text}: {values:?}"),
        Err(mistakes) => (text, mistakes),
    }
}

fn words(mistakes: &[Diagnostic]) -> String {
    let all = mistakes
        .iter()
        .map(|mistake| format!("{}: {}", mistake.summary, mistake.detail));
    all.collect::<Vec<_>>().join(" * ")
}

/// The argument as a text, as the option's type makes it one.
fn argument(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_case_comes_to_what_nomad_makes_of_it() {
    for (case, end) in CASES {
        let text = file(&format!("      args = [\"echo\", \"{case}\"]"));
        let job = read(&text);
        let job = match (job, end) {
            (Err(mistakes), Unread(expected)) => {
                assert!(
                    words(&mistakes).starts_with(expected),
                    "{case}: {mistakes:#?}"
                );
                continue;
            }
            (job, _) => job.unwrap_or_else(|mistakes| panic!("{case}: {mistakes:#?}")),
        };
        let values = evaluate(&job.groups[0].tasks[0].config, &scope());
        match (values, end) {
            (Ok(values), Gets(expected)) => {
                let Value::List(arguments) = &values["args"] else {
                    panic!("{case}: {values:?}");
                };
                assert_eq!(argument(&arguments[1]), expected, "{case}");
            }
            (Err(mistakes), Refused(expected)) => {
                let got = words(&mistakes);
                let mut rest = got.as_str();
                for part in expected.split(" * ") {
                    let at = rest.find(part);
                    assert!(at.is_some(), "{case}: {part}\n in {got}");
                    rest = &rest[at.unwrap()..];
                }
                for mistake in &mistakes {
                    assert_eq!(mistake.position(&text).0, 5, "{case}: {mistake:?}");
                }
            }
            (got, end) => panic!("{case}: expected {end:?}, got {got:?}"),
        }
    }
}

#[test]
fn the_node_and_a_part_of_a_text_are_replaced() {
    assert_eq!(value("\"r:${NOMAD_TASK_DIR}/x\""), text("r:/local/x"));
    assert_eq!(
        value("\"${NOMAD_ALLOC_DIR}${NOMAD_TASK_DIR}\""),
        text("/alloc/local")
    );
    assert_eq!(value("NOMAD_TASK_DIR"), text("/local"));
    assert_eq!(value("attr.kernel.name"), text("linux"));
    assert_eq!(value("node.attr.kernel.name"), text("linux"));
    assert_eq!(value("\"$${env[\\\"FOO\\\"]}\""), text("foo"));
    assert_eq!(value("env[\"FOO\"]"), text("foo"));
    assert_eq!(value("\"${meta.connect.log_level}\""), text("info"));
}

#[test]
fn plain_text_survives_both_evaluations() {
    for plain in [
        "", " ", "a b", "$", "$$", "%", "%%", "$a", "$(a)", "{}", "}", "${", "%{", "100%", "a$",
        "\\$", "'\"'", "é😀", "$$$", "a%b%{", "~}", "#", "//",
    ] {
        let written = plain.replace('\\', "\\\\").replace('"', "\\\"");
        if plain.contains("${") || plain.contains("%{") {
            continue;
        }
        assert_eq!(value(&format!("\"{written}\"")), text(plain), "{plain:?}");
        let heredoc = format!("<<EOT\n{plain}\nEOT");
        assert_eq!(value(&heredoc), text(&format!("{plain}\n")), "{plain:?}");
    }
}

#[test]
fn an_escape_for_each_evaluation_gives_the_marker() {
    assert_eq!(value("\"%%%%{if}\""), text("%%{if}"));
    assert_eq!(value("\"$$$${x}\""), text("$${x}"));
    assert_eq!(value("\"\\u0024$${FOO}\""), text("${FOO}"));
}

#[test]
fn other_types_stay_what_they_are() {
    assert_eq!(value("5"), Value::Number(5.0));
    assert_eq!(value("true"), Value::Bool(true));
    assert_eq!(value("null"), Value::Null);
    assert_eq!(value("\"${1 + 1}\""), Value::Number(2.0));
    assert_eq!(value("\"$${1 + 1}\""), Value::Number(2.0));
    assert_eq!(value("\"x${1 + 1}\""), text("x2"));
    assert_eq!(
        value("{ \"$${FOO}\" = [\"${FOO}\"] }"),
        Value::Object(BTreeMap::from([(
            "foo".to_owned(),
            Value::List(vec![text("foo")])
        )]))
    );
}

#[test]
fn templates_choose_and_repeat() {
    for (template, expected) in [
        ("%{ if true }y%{ endif }", "y"),
        ("%{ if false }y%{ endif }", ""),
        ("%{ if false }y%{ else }n%{ endif }", "n"),
        ("a %{~ if true ~} y %{~ else ~} n %{~ endif ~} b", "ayb"),
        ("a ${~ 1 ~} b", "a1b"),
        ("%{ for x in [1, 2] }${x},%{ endfor }", "1,2,"),
        (
            "%{ for k, v in { a = 1, b = 2 } }${k}${v};%{ endfor }",
            "a1;b2;",
        ),
        ("%{ for i, x in [\"a\"] }${i}${x}${FOO}%{ endfor }", "0afoo"),
        (
            "%{ for x in [[1], [2]] }%{ for y in x }${y}%{ endfor }%{ endfor }",
            "12",
        ),
        (
            "%{ for x in [{ a = \"b\" }] }${x.a}${x[\"a\"]}%{ endfor }",
            "bb",
        ),
        ("${[\"a\", \"b\"][1]}.", "b."),
        ("%%{ if FOO == \\\"foo\\\" }y%%{ endif }", "y"),
        (
            "%%{ for x in [FOO, BAR] }${NOMAD_TASK_NAME}%%{ endfor }",
            "tt",
        ),
    ] {
        assert_eq!(
            value(&format!("\"{template}\"")),
            text(expected),
            "{template}"
        );
    }
    assert_eq!(
        value(
            "<<-EOT\n    %{ for x in [1, 2] ~}\n    n ${x}\n      ${FOO}\n    %{ endfor ~}\n    EOT"
        ),
        // Behind a line that ends with ~} no line begins, so that its space stays.
        text("    n 1\n  foo\n    n 2\n  foo\n")
    );
}

/// Where a part of a text stands for the n-th time.
fn nth(text: &str, part: &str, n: usize) -> std::ops::Range<usize> {
    let (start, _) = text.match_indices(part).nth(n).unwrap();
    start..start + part.len()
}

#[test]
fn a_mistake_is_pointed_at_where_it_was_written() {
    for (expression, part, n) in [
        ("\"a${nope}b\"", "nope", 0),
        ("[\"${FOO}\", \"${nope}\"]", "nope", 0),
        ("[\n \"x\", # ${nope}\n \"${nope}\",\n]", "nope", 1),
        ("[\"é${nope}\"]", "nope", 0),
        ("\"\\\"${nope}\"", "nope", 0),
        ("\"$${nope}\"", "nope", 0),
        ("{ b = \"${nope}\", a = \"x\" }", "nope", 0),
        ("{ b = \"${FOO}\", a = \"${nope}\" }", "nope", 0),
        ("(\"${nope}\")", "nope", 0),
        ("\"${attr.zz}\"", ".zz", 0),
        ("attr.zz", ".zz", 0),
        ("<<EOT\na\n ${nope}\nEOT", "nope", 0),
        ("<<-EOT\n    a\n      ${nope}\n    EOT", "nope", 0),
        ("<<-EOT\r\n    a\r\n      ${nope}\r\n    EOT\r\n", "nope", 0),
        ("\"$${FOO:-x}\"", "${FOO:-x}", 0),
        // What was made from more than one text is pointed at as a whole.
        (
            "true ? \"${nope}\" : \"${nope}\"",
            "true ? \"${nope}\" : \"${nope}\"",
            0,
        ),
        ("\"${1 + 1}nope${nope}$${nope}\"", "nope", 1),
    ] {
        let (text, mistakes) = refused(expression);
        let places: Vec<_> = mistakes
            .iter()
            .map(|mistake| mistake.span.clone())
            .collect();
        assert_eq!(
            places[0],
            nth(&text, part, n),
            "{expression}: {mistakes:#?}"
        );
        assert_eq!(
            mistakes[0].context.as_deref(),
            Some("config \"v\""),
            "{expression}"
        );
    }
}

#[test]
fn all_mistakes_come_out_at_once() {
    let (text, mistakes) = refused("[\"${nope}\", \"${FOO}\", \"${nope}${attr.zz}\", \"$${\"]");
    let places: Vec<_> = mistakes
        .iter()
        .map(|mistake| &text[mistake.span.clone()])
        .collect();
    assert_eq!(places, ["nope", "nope", ".zz", "${"]);
    let starts: Vec<_> = mistakes.iter().map(|mistake| mistake.span.start).collect();
    assert!(starts.is_sorted(), "{starts:?}");
}

#[test]
fn mistakes_have_the_words_of_hcl() {
    for (expression, expected) in [
        (
            "\"x${node}\"",
            "Invalid template interpolation value: Cannot include the given value in a string template: string required.",
        ),
        (
            "\"$${null}x\"",
            "Invalid template interpolation value: The expression result is null. Cannot include a null value in a string template.",
        ),
        (
            "\"${env.zz}\"",
            "Missing map element: This map does not have an element with the key \"zz\".",
        ),
        (
            "\"${FOO.zz}\"",
            "Unsupported attribute: Can't access attributes on a primitive-typed value (string).",
        ),
        (
            "\"$${FOO[0]}\"",
            "Invalid index: This value does not have any indices.",
        ),
        (
            "\"$${attr[\\\"zz\\\"]}\"",
            "Invalid index: The given key does not identify an element in this collection value.",
        ),
        (
            "\"$${}\"",
            "Invalid expression: Expected the start of an expression, but found an invalid expression token.",
        ),
        (
            "\"$${FOO\"",
            "Unclosed template interpolation sequence: There is no closing brace for this interpolation sequence before the end of the file.",
        ),
        (
            "\"$${FOO%.*}\"",
            "Extra characters after interpolation expression: Expected a closing brace to end the interpolation expression, but found extra characters.",
        ),
        (
            "\"%%{http_code}\"",
            "Invalid template control keyword: \"http_code\" is not a valid template control keyword.",
        ),
        (
            "\"%%{\"",
            "Invalid template directive: A template directive keyword (\"if\", \"for\", etc) is expected at the beginning of a %{ sequence.",
        ),
        (
            "\"%%{ if true }\"",
            "Unexpected end of template: The if directive is missing its corresponding endif directive.",
        ),
        (
            "\"%%{ for x in [1] }\"",
            "Unexpected end of template: The for directive is missing its corresponding endfor directive.",
        ),
        (
            "\"%%{ for x in 1 }%%{ endfor }\"",
            "Iteration over non-iterable value: A value of type number cannot be used as the collection in a 'for' expression.",
        ),
        (
            "\"$${var.x}\"",
            "Unknown variable: There is no variable named \"var\".",
        ),
    ] {
        let (_, mistakes) = refused(expression);
        let got = words(&mistakes);
        assert!(got.starts_with(expected), "{expression}: {got}");
    }
}

#[test]
fn shell_syntax_has_its_way_out() {
    for expression in [
        "\"$${FOO:-x}\"",
        "\"$${FOO%.*}\"",
        "\"$${\"",
        "\"%%{http_code}\"",
    ] {
        let (_, mistakes) = refused(expression);
        assert!(
            words(&mistakes).contains("move the script into a template, or write ${\"$$\"}{"),
            "{expression}: {mistakes:?}"
        );
    }
}

#[test]
fn a_template_cannot_grow_without_end() {
    let list = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    let nested = |depth: usize| {
        let open: String = (0..depth)
            .map(|level| format!("%{{ for x{level} in {} }}", list(100)))
            .collect();
        format!(
            "\"{open}{}{}\"",
            "y".repeat(100),
            "%{ endfor }".repeat(depth)
        )
    };
    let mistakes = read(&file(&format!("v = {}", nested(6)))).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert_eq!(mistakes[0].code, "E1113");
    let (_, mistakes) = refused(&nested(6).replace("%{", "%%{"));
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert_eq!(mistakes[0].code, "E1113");
    let (_, mistakes) = refused(&format!(
        "[{}]",
        vec![nested(3).replace("%{", "%%{"); 40].join(",")
    ));
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
}

#[test]
fn deep_templates_are_refused_and_do_not_overflow_the_stack() {
    let all = || {
        for depth in [10, 60, 64, 65, 5_000] {
            for (open, inner, close) in [
                ("$${(", "1", ")}"),
                ("$${\\\"", "x", "\\\"}"),
                ("%%{ if true }", "x", "%%{ endif }"),
                ("%%{ for x in [1] }", "x", "%%{ endfor }"),
                ("$${[", "1", "][0]}"),
                ("$${!", "true", "}"),
            ] {
                let expression =
                    format!("\"{}{inner}{}\"", open.repeat(depth), close.repeat(depth));
                if let Ok(job) = read(&file(&format!("v = {expression}"))) {
                    let _ = evaluate(&job.groups[0].tasks[0].config, &scope());
                }
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(all);
    thread.unwrap().join().unwrap();
}

#[test]
fn heredocs_may_stand_in_templates_of_heredocs() {
    let nested = |depth: usize| {
        let open: String = (0..depth).map(|level| format!("<<E{level}\n${{")).collect();
        let close: String = (0..depth)
            .rev()
            .map(|level| format!("}}\nE{level}\n"))
            .collect();
        format!("{open}1{close}")
    };
    let all = move || {
        assert_eq!(value(&nested(3)), text("1\n\n\n"));
        for depth in [20, 50, 60, 64, 65, 1_000] {
            let _ = read(&file(&format!("v = {}", nested(depth))));
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(all);
    thread.unwrap().join().unwrap();
}

#[test]
fn env_values_are_evaluated_once_and_know_what_they_refer_to() {
    let env = "env {\n A = \"${B}x\"\n B = \"$${A}\"\n C = NOMAD_TASK_DIR\n D = \"$${X:-y}\"\n E = \"${1 + 1}\"\n F = \"${attr.cpu.arch}\"\n}\n";
    let text = file("v = 1").replace("config {", &format!("{env}config {{"));
    let job = read(&text).unwrap();
    let task = &job.groups[0].tasks[0];
    assert_eq!(
        task.env,
        map(&[
            ("A", "${B}x"),
            ("B", "${A}"),
            ("C", "${NOMAD_TASK_DIR}"),
            ("D", "${X:-y}"),
            ("E", "2"),
            ("F", "${attr.cpu.arch}"),
        ])
    );
    let references: Vec<_> = task.env_references.iter().collect();
    let names = |name: &str| std::collections::BTreeSet::from([name.to_owned()]);
    assert_eq!(
        references,
        [
            (&"A".to_owned(), &names("B")),
            (&"C".to_owned(), &names("NOMAD_TASK_DIR")),
            (&"F".to_owned(), &names("attr.cpu.arch")),
        ]
    );
}
