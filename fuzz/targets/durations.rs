//! Any text as a duration: `kill_timeout` of a task.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|written: &str| {
    let quoted: String = written
        .chars()
        .filter(|c| !matches!(c, '"' | '\\' | '$' | '%' | '\n' | '\r'))
        .collect();
    let text = format!(
        "job \"a\" {{\n task \"b\" {{\n driver = \"exec\"\n kill_timeout = \"{quoted}\"\n }}\n}}\n"
    );
    match jobspec::parse("job.hcl", &text) {
        Ok(job) => assert!(job.groups[0].tasks[0].kill_timeout.as_nanos() <= i64::MAX as u128),
        Err(mistakes) => assert!(mistakes.iter().all(|mistake| !mistake.detail.is_empty())),
    }
});
