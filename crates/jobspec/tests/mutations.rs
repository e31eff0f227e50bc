//! Broken copies of job files: each is refused or read, and none makes the reader panic, hang or point outside the text.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use jobspec::{Diagnostic, Scope, evaluate, parse};

fn job_files() -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories = [
        "../../examples",
        "tests/golden/jobs",
        "tests/golden/mistakes",
    ];
    let files = directories
        .iter()
        .flat_map(|directory| fs::read_dir(here.join(directory)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path: &PathBuf| path.to_str().unwrap().ends_with(".nomad.hcl"));
    files
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// Parses, evaluates what could be parsed, and follows every place that is given.
fn read(text: &str) {
    let scope = Scope {
        env: [("FOO".to_owned(), "foo".to_owned())].into(),
        ..Scope::default()
    };
    match parse("job.hcl", text) {
        Ok(job) => {
            for task in job.groups.iter().flat_map(|group| &group.tasks) {
                if let Err(mistakes) = evaluate(&task.config, &scope) {
                    follow(text, mistakes);
                }
            }
        }
        Err(mistakes) => follow(text, mistakes),
    }
}

fn follow(text: &str, mistakes: Vec<Diagnostic>) {
    assert!(!mistakes.is_empty(), "refused without a reason: {text:?}");
    for mistake in mistakes {
        assert!(
            text.get(mistake.span.clone()).is_some(),
            "{:?} in {text:?}",
            mistake.span
        );
        let line = mistake.one_line("job.hcl", text).to_string();
        assert!(!line.contains('\n'), "{line:?}");
        assert!(mistake.position(text) <= mistake.end_position(text));
    }
}

#[test]
fn files_may_end_anywhere() {
    for text in job_files() {
        for (end, _) in text.char_indices() {
            read(&text[..end]);
            read(&text[end..]);
        }
    }
}

#[test]
fn any_character_may_be_another() {
    const OTHERS: [&str; 12] = [
        "", "\"", "{", "}", "$", "\n", "=", "\\", "\0", "é", "<<E\n", "%{",
    ];
    let texts = job_files();
    for (at, text) in texts.iter().enumerate() {
        for (index, (start, old)) in text.char_indices().enumerate() {
            // Each place gets some of the characters; over all files each place in the grammar meets all of them.
            let other = OTHERS[(at + index * 7) % OTHERS.len()];
            read(&format!(
                "{}{other}{}",
                &text[..start],
                &text[start + old.len_utf8()..]
            ));
        }
    }
}

#[test]
fn any_bit_may_flip() {
    for (at, text) in job_files().iter().enumerate() {
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1 << ((place + at) % 7);
            if let Ok(text) = String::from_utf8(bytes) {
                read(&text);
            }
        }
    }
}

/// Pieces of templates, put together at random: what comes out of the first evaluation can be anything.
#[test]
fn any_text_may_be_a_template() {
    const PIECES: [&str; 27] = [
        "$${",
        "%%{",
        "}",
        "~",
        "if ",
        "else",
        "endif",
        "for x in ",
        "endfor",
        "FOO",
        "x",
        "[",
        "]",
        ".",
        "(",
        ")",
        ",",
        "1",
        "+",
        "?",
        ":",
        " ",
        "$",
        "%",
        "é",
        "\\\"",
        "\\n",
    ];
    // A linear congruential generator: the same texts each time.
    let mut state: u64 = 1;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let count = next(12);
        let mut template: String = (0..count).map(|_| PIECES[next(PIECES.len())]).collect();
        if next(2) == 0 {
            template = format!("$${{{template}}}");
        }
        for template in [template.replace("$${", "${").replace("%%{", "%{"), template] {
            read(&format!(
                "job \"a\" {{\ntask \"b\" {{\ndriver = \"exec\"\nconfig {{\nv = \"{template}\"\n}}\n}}\n}}\n"
            ));
        }
    }
}

#[test]
fn deep_nesting_does_not_overflow_a_small_stack() {
    let deep = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("a = {}{inner}{}\n", open.repeat(depth), close.repeat(depth))
    };
    let read_all = move || {
        for depth in [60, 64, 65, 10_000] {
            for (open, inner, close) in [
                ("[", "1", "]"),
                ("{ a = ", "1", " }"),
                ("(", "1", ")"),
                ("!", "true", ""),
                ("- ", "1", ""),
                ("f(", "1", ")"),
                ("x[", "1", "]"),
                ("true ? 1 : ", "1", ""),
                ("\"${", "x", "}\""),
                ("1 + (", "1", ")"),
                ("x.", "x", ""),
            ] {
                read(&deep(open, inner, close, depth));
                let config = format!("config {{\n{}}}\n", deep(open, inner, close, depth));
                read(&format!("job \"a\" {{\ntask \"b\" {{\n{config}}}\n}}\n"));
            }
            read(&format!(
                "a = \"{}x{}\"\n",
                "%{ if x }".repeat(depth),
                "%{ endif }".repeat(depth)
            ));
            let config = format!(
                "config {{\n{}{}}}\n",
                "b {\n".repeat(depth),
                "}\n".repeat(depth)
            );
            read(&format!("job \"a\" {{\ntask \"b\" {{\n{config}}}\n}}\n"));
        }
    };
    // What Rust gives a thread unless asked otherwise.
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(read_all);
    thread.unwrap().join().unwrap();
}

#[test]
fn large_files_are_read_and_huge_ones_refused() {
    let job = |script: &str| {
        let config = format!("config {{\ncommand = <<EOT\n{script}\nEOT\n}}\n");
        format!("job \"a\" {{\ntask \"b\" {{\ndriver = \"exec\"\n{config}}}\n}}\n")
    };
    assert!(parse("job.hcl", &job(&"echo hello $NAME\n".repeat(60_000))).is_ok());
    let mistakes = parse("job.hcl", &job(&" ".repeat(17 << 20))).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].code, "E1010");
}
