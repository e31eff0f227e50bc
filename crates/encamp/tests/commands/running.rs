//! Runs that go on beside a test.
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::world::{Ended, World};

static NEXT: AtomicU32 = AtomicU32::new(0);

impl World {
    /// A run that goes on beside the test, once all its tasks run.
    pub(crate) fn start(&self, text: &str) -> Running {
        let file = self.file(text);
        let mut command = self.encamp(&["run", "--rm", file.to_str().unwrap()]);
        let running = Running::of(&mut command);
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

    pub(crate) fn file(&self, text: &str) -> PathBuf {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{number}.nomad.hcl"));
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it did not come about");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A run in the background; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn of(command: &mut Command) -> Running {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Running(Some(child.unwrap()))
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(self.0.as_ref().unwrap())
    }

    pub(crate) fn end(mut self) -> Ended {
        Ended::of(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
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
