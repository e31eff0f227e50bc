//! Job files of several tasks, and runs of them.
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{Ended, World};

/// Lines of a task that runs a shell script and is not restarted.
pub(crate) fn task(name: &str, driver: &str, script: &str, more: &str) -> String {
    format!(
        "    task {name:?} {{\n      driver = {driver:?}\n      config {{\n        command = \"/bin/sh\"\n        args = [\"-c\", \
         {script:?}]\n      }}\n      restart {{\n        attempts = 0\n        mode = \"fail\"\n      }}\n      {more}\n    }}\n"
    )
}

/// `lifecycle`, in one line's place.
pub(crate) fn hook(hook: &str, sidecar: bool) -> String {
    format!("lifecycle {{\n hook = {hook:?}\n sidecar = {sidecar}\n }}")
}

/// A batch job of one group.
pub(crate) fn job(group: &str, tasks: &[String]) -> String {
    format!(
        "job \"j\" {{\n  type = \"batch\"\n  group \"g\" {{\n    {group}\n{}  }}\n}}\n",
        tasks.concat()
    )
}

impl World {
    pub(crate) fn file(&self, text: &str) -> PathBuf {
        let path = self.dir.join("job.nomad.hcl");
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn run_job(&self, text: &str, flags: &[&str]) -> Ended {
        let file = self.file(text);
        let mut arguments = vec!["run"];
        arguments.extend(flags);
        arguments.push(file.to_str().unwrap());
        self.run(&arguments)
    }

    pub(crate) fn start_job(&self, text: &str) -> Running {
        let file = self.file(text);
        let mut child = self
            .encamp(&["run", "--rm", file.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout }
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.left(), [""; 0]);
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = self.dir.display().to_string();
        let left: Vec<&str> = mounts.lines().filter(|line| line.contains(&ours)).collect();
        assert!(left.is_empty(), "{left:#?}");
    }
}

/// A run that goes on.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Waits for so many lines that are these, in any order.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, lines: &[&str]) {
        let mut missing: Vec<&str> = lines.to_vec();
        while !missing.is_empty() {
            let mut line = String::new();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "{missing:?} never came"
            );
            missing.retain(|wanted| *wanted != line.trim_end());
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn end(mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        let mut err = self.child.stderr.take().unwrap();
        err.read_to_string(&mut stderr).unwrap();
        Ended {
            code: self.child.wait().unwrap().code(),
            stdout,
            stderr,
        }
    }
}
