//! `encamp stop`: asks runs to stop their tasks, and tells how they end.
use std::sync::mpsc::channel;
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use client::runs::{Delay, Seen, StopRequest};
use client::spell;
use driver::{Awaited, ExitResult};

use crate::cli::{Global, Stop};
use crate::commands::progress::rounded;
use crate::commands::{conclude, seen};
use crate::failure::Failure;
use crate::terminal;

pub(crate) fn run(stop: &Stop, global: &Global) -> Result<u8, Failure> {
    let all = seen::all(global)?;
    let mut runs: Vec<Vec<Seen>> = Vec::new();
    for target in &stop.target {
        for seen in client::runs::find(&all, target)? {
            add(&mut runs, seen);
        }
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    let began = Instant::now();
    runs.retain(|run| {
        // Before anything is asked: how it ends is to be seen.
        let watched: Vec<_> = run
            .iter()
            .map(|seen| (seen.clone(), seen.watch()))
            .collect();
        match run[0].ask_to_stop(&request(stop, run)) {
            Err(error) if run[0].lives() => {
                failures.push(Failure::from(error));
                return false;
            }
            // One that has ended meanwhile has stopped.
            _ => {}
        }
        tasks.extend(watched);
        true
    });
    let told = Told {
        stop,
        talks: !global.quiet,
        alone: tasks.len() == 1,
    };
    failures.extend(told.all(tasks, began));
    for run in runs.iter().filter(|run| is_whole(run)) {
        run[0].outlast();
    }
    conclude(failures, global)
}

/// One list for each run, and no task twice.
fn add(runs: &mut Vec<Vec<Seen>>, seen: Seen) {
    let run = runs
        .iter_mut()
        .find(|run| run[0].run_dir() == seen.run_dir());
    match run {
        Some(run) if run.iter().any(|known| known.name == seen.name) => {}
        Some(run) => run.push(seen),
        None => runs.push(vec![seen]),
    }
}

fn is_whole(run: &[Seen]) -> bool {
    run.len() == run[0].alloc.task_states.len()
}

fn request(stop: &Stop, run: &[Seen]) -> StopRequest {
    let tasks = run.iter().map(|seen| seen.name.clone()).collect();
    StopRequest {
        tasks: (!is_whole(run)).then_some(tasks),
        kill_timeout: stop.timeout,
        shutdown_delay: if stop.no_shutdown_delay {
            Delay::Skip
        } else {
            Delay::Keep
        },
    }
}

/// How it is told: of one task in two halves of a line, of several in a line each when it has ended.
struct Told<'a> {
    stop: &'a Stop,
    talks: bool,
    alone: bool,
}

impl Told<'_> {
    /// Waits for the end of each, and comes back with what could not be waited for.
    fn all(&self, tasks: Vec<(Seen, Option<Awaited>)>, began: Instant) -> Vec<Failure> {
        thread::scope(|scope| {
            let (to, ends) = channel();
            let (mut asked, mut failures) = (Vec::new(), Vec::new());
            for (place, (seen, watched)) in tasks.into_iter().enumerate() {
                self.begin(&seen);
                asked.push(seen);
                let to = to.clone();
                let wait = move || {
                    let end = watched.map(Awaited::end);
                    let _ = to.send((place, end, began.elapsed()));
                };
                let spawned = Builder::new().spawn_scoped(scope, wait);
                failures.extend(spawned.err().map(Failure::Waiting));
            }
            drop(to);
            for (place, end, took) in ends {
                self.end(&asked[place], end, took);
            }
            failures
        })
    }

    fn begin(&self, seen: &Seen) {
        if self.talks && self.alone {
            terminal::say(&self.head(seen));
        }
    }

    fn end(&self, seen: &Seen, end: Option<Option<ExitResult>>, took: Duration) {
        if !self.talks {
            return;
        }
        let head = if self.alone {
            String::new()
        } else {
            self.head(seen)
        };
        let tail = match end {
            None => "it was not running".to_owned(),
            Some(None) => format!("stopped in {}", rounded(took)),
            Some(Some(result)) => {
                format!(
                    "exit {} in {}",
                    client::exit::of_task(&result),
                    rounded(took)
                )
            }
        };
        terminal::say(&format!("{head}{tail}\n"));
    }

    /// `==> api: stopping server (SIGINT, 20s) … `
    fn head(&self, seen: &Seen) -> String {
        let alloc = &seen.alloc;
        let how = seen.facts().map(|facts| {
            let grace = self.stop.timeout.unwrap_or(facts.kill_timeout);
            format!(" ({}, {})", facts.kill_signal, spell(grace))
        });
        let task = if self.alone {
            seen.name.clone()
        } else {
            seen.place()
        };
        format!(
            "==> {}: stopping {task}{} … ",
            alloc.job_id,
            how.unwrap_or_default()
        )
    }
}
