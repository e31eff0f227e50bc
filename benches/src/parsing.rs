//! A job file read, from its text to the job: a typical one, and one of a thousand tasks.
use std::error::Error;
use std::time::{Duration, Instant};

use jobspec::Inputs;

use crate::statistics::{Summary, summary};

const TYPICAL: &str = include_str!("../typical.nomad.hcl");
const TASKS: usize = 1000;

/// What one file costs.
pub(crate) struct Reading {
    /// What it is.
    pub(crate) name: &'static str,
    /// How long its text is.
    pub(crate) bytes: usize,
    /// Over all rounds.
    pub(crate) summary: Summary,
}

/// Reads each file that often; the large one less.
pub(crate) fn measure(rounds: usize) -> Result<Vec<Reading>, Box<dyn Error>> {
    Ok(vec![
        reading("a typical job", TYPICAL, rounds)?,
        reading("1000 tasks", &many(), rounds.div_ceil(20))?,
    ])
}

fn reading(name: &'static str, text: &str, rounds: usize) -> Result<Reading, Box<dyn Error>> {
    let samples: Result<Vec<Duration>, Box<dyn Error>> =
        (0..rounds.max(1)).map(|_| once(text)).collect();
    Ok(Reading {
        name,
        bytes: text.len(),
        summary: summary(&samples?).ok_or("nothing was measured")?,
    })
}

fn once(text: &str) -> Result<Duration, Box<dyn Error>> {
    let begin = Instant::now();
    let job = jobspec::parse_with("bench.nomad.hcl", text, &Inputs::default());
    let took = begin.elapsed();
    match job {
        Ok(job) if !job.groups.is_empty() => Ok(took),
        Ok(_) => Err("a job without a group".into()),
        Err(mistakes) => Err(format!("{}", mistakes[0].one_line("bench.nomad.hcl", text)).into()),
    }
}

/// Tasks as the typical job has them, each written out.
fn many() -> String {
    let mut text =
        String::from("locals {\n  tags = [\"a\", \"b\"]\n}\njob \"many\" {\n  group \"g\" {\n");
    for at in 0..TASKS {
        text += &format!(
            "    task \"t{at}\" {{\n      driver = \"exec2\"\n      config {{\n        command = \"/bin/echo\"\n        args    = [\"${{NOMAD_TASK_DIR}}/{at}\", upper(\"x\"), join(\",\", local.tags)]\n      }}\n      env {{\n        A = \"n-${{{at} + 1}}\"\n        B = <<-EOT\n          some text of ${{NOMAD_TASK_NAME}}\n          and more\n        EOT\n      }}\n      resources {{\n        cpu    = 100\n        memory = 64\n      }}\n    }}\n"
        );
    }
    text + "  }\n}\n"
}
