//! What a template may cost: whatever it is made of, it comes to an end.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::borrow::Cow;

use super::functions::Surroundings;
use super::render::{Form, render};

/// A task whose file holds this.
struct Task(String);

impl Surroundings for Task {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        (name == "BIG").then(|| Cow::Owned("x".repeat(1 << 20)))
    }

    fn file(&mut self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
}

fn rendered(template: &str, file: &str) -> Result<String, String> {
    let form = Form {
        left: "{{",
        right: "}}",
        error_on_missing_key: false,
    };
    let bytes = render(template, form, &mut Task(file.to_owned()));
    let bytes = bytes.map_err(|trouble| trouble.to_string())?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// Lists of twice the one before, so that the last one leads to `x` on 2 to the power of `levels` ways.
fn aliases(levels: usize) -> String {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..=levels {
        let before = level - 1;
        text += &format!("a{level}: &a{level} [*a{before}, *a{before}]\n");
    }
    text
}

/// The same with maps, of which two are merged along every way.
fn alias_maps(levels: usize) -> String {
    let mut text = "m0: &m0 {x: 1}\n".to_owned();
    for level in 1..=levels {
        let before = level - 1;
        text += &format!("m{level}: &m{level} {{l: *m{before}, r: *m{before}}}\n");
    }
    text
}

/// Everything that walks through a value.
const WALKS: [&str; 12] = [
    "$x",
    "print $x",
    "println $x 1",
    "printf \"%v\" $x",
    "printf \"%#v %.0s\" $x $x",
    "printf \"%1000000d\" $x",
    "printf \"\" $x",
    "html $x",
    "toJSONPretty $x",
    "toYAML $x",
    "toTOML $x",
    "mergeMap $x $x",
];

#[test]
fn a_value_that_leads_to_itself_on_too_many_ways_is_refused() {
    for file in [aliases(100), alias_maps(100)] {
        for walk in WALKS {
            let template = format!("{{{{ $x := file \"f\" | parseYAML }}}}{{{{ {walk} }}}}");
            let failure = rendered(&template, &file).unwrap_err();
            assert!(failure.contains("holds more than 64 MiB"), "{failure}");
        }
    }
}

#[test]
fn every_walk_through_a_large_value_comes_to_an_end() {
    for file in [aliases(16), alias_maps(16)] {
        for walk in WALKS {
            let template = format!("{{{{ $x := file \"f\" | parseYAML }}}}{{{{ {walk} }}}}");
            if let Err(failure) = rendered(&template, &file) {
                assert!(failure.contains("larger than 16 MiB"), "{walk}: {failure}");
            }
        }
    }
}

#[test]
fn merging_copies_no_more_than_values_may_be() {
    let entries: String = (0..1000).map(|n| format!("  k{n}: 1\n")).collect();
    let merges = "- <<: *m\n".repeat(2000);
    let file = format!("- &m\n{entries}{merges}");
    let failure = rendered("{{ file \"f\" | parseYAML | len }}", &file).unwrap_err();
    assert!(failure.contains("yaml: more than"), "{failure}");
}

#[test]
fn what_functions_make_is_counted() {
    for template in [
        "{{ range loop 1000000 }}{{ $x := env \"BIG\" }}{{ end }}",
        "{{ range loop 1000000 }}{{ $x := file \"f\" }}{{ end }}",
        "{{ containsAll (loop 1000000) (loop 1000000) }}",
        "{{ containsNone (loop 1000000) (parseJSON `[\"x\"]`) }}{{ containsAny (loop 100000) (loop 200000 900000) }}",
        "{{ range loop 1000000 }}{{ regexMatch (printf \"a{%d}\" .) \"x\" }}{{ end }}",
        "{{ range $i := loop 10000 }}{{ scratch.MapSet \"m\" (print $i) 1 }}{{ end }}\
         {{ range loop 1000000 }}{{ $x := scratch.Get \"m\" }}{{ scratch.MapSet \"m\" \"a\" . }}{{ end }}",
        "{{ range $i := loop 10000 }}{{ scratch.MapSet \"m\" (print $i) 1 }}{{ end }}\
         {{ range loop 1000000 }}{{ $x := scratch.MapValues \"m\" }}{{ end }}",
    ] {
        let failure = rendered(template, &"x".repeat(1 << 20)).unwrap_err();
        assert!(failure.contains("does not come to an end"), "{failure}");
    }
}

#[test]
fn what_only_looks_at_a_large_value_costs_little() {
    let template = "{{ $x := loop 1000000 }}{{ range loop 100000 }}{{ if gt (index $x .) (len $x) }}x{{ end }}{{ end }}";
    assert_eq!(rendered(template, "").unwrap(), "");
    let template = "{{ range loop 100000 }}{{ scratch.MapSet \"m\" (print .) . }}{{ end }}{{ len (scratch.Get \"m\") }}";
    assert_eq!(rendered(template, "").unwrap(), "100000");
    let template = "{{ range loop 10000 }}{{ if regexMatch \"^[0-9]+$\" (print .) }}{{ else }}x{{ end }}{{ end }}";
    assert_eq!(rendered(template, "").unwrap(), "");
}

#[test]
fn no_pair_of_texts_takes_the_product_of_their_lengths() {
    let half = 1 << 19;
    let file = format!("{}b", "a".repeat(2 * half));
    for template in [
        format!("{{{{ file \"f\" | contains \"{}c\" }}}}", "a".repeat(half)),
        "{{ $f := file \"f\" }}{{ replaceAll \"a\" \"b\" $f | trim $f | len | eq 0 | not }}"
            .to_owned(),
        "{{ printf (file \"f\" | replaceAll \"a\" \"%[\") | len | eq 0 }}".to_owned(),
    ] {
        assert_eq!(rendered(&template, &file).unwrap(), "false");
    }
    let failure = rendered("{{ file \"f\" | split \"\" | len }}", &"x ".repeat(1 << 20));
    assert!(failure.unwrap_err().contains("parts"));
    let template =
        "{{ regexReplaceAll \"a+\" (file \"f\" | replaceAll \"a\" \"$0\") (file \"f\") }}";
    let failure = rendered(template, &file).unwrap_err();
    assert!(failure.contains("larger than 16 MiB"), "{failure}");
}

#[test]
fn every_verb_takes_any_precision() {
    for verb in "vtdbobOxXcqUeEfFgGsTp".chars() {
        for value in ["1", "1.5", "0.0", "\"x\"", "true", "nil", "(loop 2)"] {
            for precision in [1101, 65_536, 70_000] {
                let format =
                    format!("%.{precision}{verb}|%0{precision}{verb}|%+-{precision}{verb}");
                let template = format!("{{{{ printf \"{format}\" {value} {value} {value} }}}}");
                let got = rendered(&template, "");
                assert!(got.is_ok(), "{template}: {got:?}");
            }
        }
    }
}

#[test]
fn digits_beyond_those_that_a_number_has_are_zeros() {
    for (format, value, begin, length) in [
        ("%.70000d", "7", "000", 70_000),
        ("%.70000f", "1.5", "1.500", 70_002),
        ("%.70000e", "1.5", "1.500", 70_006),
        ("%.70000g", "1.5", "1.5", 3),
        ("%.70000x", "255", "000", 70_000),
    ] {
        let template = format!("{{{{ printf \"{format}\" {value} }}}}");
        let got = rendered(&template, "").unwrap();
        assert!(got.starts_with(begin), "{format}");
        assert_eq!(got.len(), length, "{format}");
    }
}
