//! Runs that go on beside a test.
use crate::world::{Running, World, until};

impl World {
    /// A run that goes on beside the test, once all its tasks run.
    pub(crate) fn start(&self, text: &str) -> Running {
        let running = self.start_job(text);
        let tasks = text.matches("\n    task ").count();
        self.until_all_run(tasks * if text.contains("count = 2") { 2 } else { 1 });
        running
    }

    pub(crate) fn until_all_run(&self, tasks: usize) {
        until(|| {
            let listed = self.run(&["ps"]).stdout;
            listed.matches("  running  ").count() == tasks
        });
    }
}

/// A job with one group and these tasks: name, driver, script, and whatever else.
pub(crate) fn job(name: &str, count: u32, tasks: &[(&str, &str, &str, &str)]) -> String {
    let mut text = format!("job \"{name}\" {{\n  group \"web\" {{\n    count = {count}\n");
    for (task, driver, script, more) in tasks {
        text += &format!(
            "    task \"{task}\" {{\n      driver = \"{driver}\"\n      config {{\n        command = \"/bin/sh\"\n        \
             args = [\"-c\", <<EOF\n{script}\nEOF\n        ]\n      }}\n      {more}\n    }}\n"
        );
    }
    text + "  }\n}\n"
}
