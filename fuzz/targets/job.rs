//! Any bytes as a job file: read, refused or taken; then its `config` once more. Every place given must lie in the text.
#![no_main]

use jobspec::{Diagnostic, Scope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match jobspec::parse("job.hcl", text) {
        Ok(job) => {
            let scope = Scope {
                env: [("FOO".to_owned(), "foo".to_owned())].into(),
                ..Scope::default()
            };
            for task in job.groups.iter().flat_map(|group| &group.tasks) {
                let evaluated = jobspec::evaluate(&task.config, &scope);
                follow(text, evaluated.err().unwrap_or_default());
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused without a reason");
            follow(text, mistakes);
        }
    }
});

fn follow(text: &str, mistakes: Vec<Diagnostic>) {
    for mistake in mistakes {
        let line = mistake.one_line("job.hcl", text).to_string();
        assert!(!line.contains('\n'), "{line:?}");
        assert!(mistake.position(text) <= mistake.end_position(text));
    }
}
