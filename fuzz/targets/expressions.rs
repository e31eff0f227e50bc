//! Any text as an expression: in `env`, evaluated once, and in `config`, evaluated twice.
#![no_main]

use jobspec::Scope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|written: &str| {
    let text = format!(
        "variables {{\n a = [1, \"b\"]\n}}\nlocals {{\n b = {{ c = var.a }}\n}}\njob \"a\" {{\n task \"b\" {{\n driver = \"exec\"\n env {{\n V = {written}\n }}\n config {{\n v = {written}\n }}\n }}\n}}\n"
    );
    match jobspec::parse("job.hcl", &text) {
        Ok(job) => {
            for task in job.groups.iter().flat_map(|group| &group.tasks) {
                let _ = jobspec::evaluate(&task.config, &Scope::default());
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused without a reason");
            for mistake in mistakes {
                assert!(text.get(mistake.span.clone()).is_some(), "{mistake:?}");
            }
        }
    }
});
