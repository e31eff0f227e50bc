//! Allocations whose tasks end as a script says, without a driver.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use driver::{ExitResult, StartError, TaskConfig};
use jobspec::{Diagnostic, JobType, Restart, Task};
use rustix::io::Errno;

use crate::dirs::Dir;
use crate::ear::Ear;
use crate::event::{Event, Whose};
use crate::message::Inbox;
use crate::output::sink::Sink;
use crate::output::{Pumps, Stream};
use crate::restart::Tracker;
use crate::runner::allocation::{AllocEnd, AllocRunner, Message, Seat, Times};
use crate::runner::chronicle::{Chronicle, Reporter, Voice};
use crate::runner::hook::{Asks, Hook, Step, Stopping};
use crate::runner::lifecycle::{Role, Stage, TaskState};
use crate::runner::order::{self, Configures, Stop, TaskEnd};
use crate::runner::task::TaskRunner;
use crate::running::{Facts, Running, Starts};
use crate::samples;
use crate::settings::Telling;
use crate::state::AllocState;
use crate::testing::Scratch;

/// What one start of a task does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Exit(i32),
    UntilStopped(i32),
    UntilKilled,
    /// With this code, once an event was told whose task and `Debug` begin like this.
    Once(&'static str, i32),
    NoStart,
    /// The host is short of something.
    NoRoom,
}

/// A task and what its starts do, one after the other.
pub(crate) struct Part {
    pub(crate) task: Task,
    pub(crate) acts: Vec<Act>,
    pub(crate) stop: Stop,
    pub(crate) hooks: Vec<Box<dyn Hook>>,
}

impl Part {
    pub(crate) fn new(name: &str, acts: &[Act]) -> Part {
        Part {
            task: Task {
                name: name.to_owned(),
                restart: Restart {
                    delay: Duration::from_millis(1),
                    ..samples::restart()
                },
                ..samples::task()
            },
            acts: acts.to_vec(),
            stop: Stop {
                signal: "SIGTERM".to_owned(),
                grace: Duration::from_secs(5),
                delay: Duration::ZERO,
            },
            hooks: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Part)) -> Part {
        change(&mut self);
        self
    }

    pub(crate) fn never_again(self) -> Part {
        self.with(|part| part.task.restart.attempts = 0)
    }
}

/// What became of it all.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) end: AllocEnd,
    pub(crate) tasks: Vec<TaskEnd>,
    /// `start a`, `stop a SIGTERM 5s`, in their order.
    pub(crate) log: Vec<String>,
    pub(crate) state: AllocState,
}

impl Played {
    /// The types of what is recorded of a task, without what everybody has.
    pub(crate) fn events(&self, task: &str) -> Vec<&str> {
        let events = &self.state.task_states[task].events;
        events.iter().map(|event| event.r#type.as_str()).collect()
    }
}

/// What else happens while it is played.
pub(crate) struct Director {
    pub(crate) times: Times,
    pub(crate) kind: JobType,
    /// Signals are sent when these are told, by what `Debug` makes of the event and its task.
    pub(crate) cues: Vec<Cue>,
}

/// The beginning of an event, and what follows it.
pub(crate) type Cue = (&'static str, fn(&Sends));

/// Whom a director can speak to.
pub(crate) struct Sends {
    pub(crate) alloc: Sender<Message>,
    pub(crate) asks: BTreeMap<String, Asks>,
}

impl Default for Director {
    fn default() -> Director {
        Director {
            times: Times::default(),
            kind: JobType::Batch,
            cues: Vec::new(),
        }
    }
}

type Log = Mutex<Vec<String>>;

/// What was told so far, for those who wait for some of it.
#[derive(Default)]
struct Told {
    words: Mutex<Vec<String>>,
    more: Condvar,
}

impl Told {
    fn push(&self, words: &str) {
        self.words.lock().unwrap().push(words.to_owned());
        self.more.notify_all();
    }

    fn wait_for(&self, beginning: &str) {
        let missing = |words: &mut Vec<String>| !words.iter().any(|w| w.starts_with(beginning));
        let words = self.words.lock().unwrap();
        drop(self.more.wait_while(words, missing).unwrap());
    }
}

struct Script<'a> {
    acts: Mutex<Vec<Act>>,
    log: &'a Arc<Log>,
    told: &'a Arc<Told>,
}

pub(crate) struct Actor {
    name: String,
    act: Act,
    log: Arc<Log>,
    told: Arc<Told>,
    end: (Mutex<Option<i32>>, Condvar),
}

impl Starts for Script<'_> {
    type Task = Actor;

    fn start(&self, task: &TaskConfig) -> Result<Actor, StartError> {
        let act = self.acts.lock().unwrap().remove(0);
        self.log
            .lock()
            .unwrap()
            .push(format!("start {}", task.name));
        let end = match act {
            Act::NoStart => return Err(StartError::NotFound("no such command".to_owned())),
            Act::NoRoom => {
                return Err(StartError::Host {
                    act: "make a directory".to_owned(),
                    source: Box::new(std::io::Error::from(Errno::NOSPC)),
                });
            }
            Act::Exit(code) | Act::Once(_, code) => Some(code),
            Act::UntilStopped(_) | Act::UntilKilled => None,
        };
        Ok(Actor {
            name: task.name.clone(),
            act,
            log: self.log.clone(),
            told: self.told.clone(),
            end: (Mutex::new(end), Condvar::new()),
        })
    }
}

impl Running for Actor {
    fn wait(&self) -> Result<ExitResult, driver::Error> {
        if let Act::Once(event, _) = self.act {
            self.told.wait_for(event);
        }
        let mut end = self.end.0.lock().unwrap();
        while end.is_none() {
            end = self.end.1.wait(end).unwrap();
        }
        Ok(ExitResult {
            exit_code: end.unwrap(),
            ..ExitResult::default()
        })
    }

    fn stop(&self, signal: &str, grace: Duration) -> Result<(), driver::Error> {
        let (name, grace_words) = (&self.name, crate::duration::spell(grace));
        let words = format!("stop {name} {signal} {grace_words}");
        self.log.lock().unwrap().push(words);
        let code = match self.act {
            Act::UntilStopped(code) => Some(code),
            Act::UntilKilled if grace.is_zero() => Some(137),
            _ => None,
        };
        // The polite stop may come after the hard one: it does not undo it.
        if code.is_some() {
            *self.end.0.lock().unwrap() = code;
        }
        self.end.1.notify_all();
        Ok(())
    }

    fn destroy(&self) -> Result<(), driver::Error> {
        Ok(())
    }

    fn signal(&self, signal: &str) -> Result<(), driver::Error> {
        let words = format!("signal {} {signal}", self.name);
        self.log.lock().unwrap().push(words);
        Ok(())
    }

    fn script(&self, command: &[String], _: Duration) -> Result<(), String> {
        let words = format!("script {} {}", self.name, command.join(" "));
        self.log.lock().unwrap().push(words);
        if command[0] == "false" {
            Err("exited 1".to_owned())
        } else {
            Ok(())
        }
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }

    fn memory_peak(&self) -> Option<u64> {
        None
    }
}

struct Plain(String);

impl Configures for Plain {
    fn env(&self, more: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        more.clone()
    }

    fn config(&self, more: &BTreeMap<String, String>) -> Result<TaskConfig, Vec<Diagnostic>> {
        Ok(TaskConfig {
            alloc_id: "a".to_owned(),
            name: self.0.clone(),
            env: more.clone(),
            ..TaskConfig::default()
        })
    }
}

fn pumps(scratch: &Scratch, name: &str, to: &Sender<order::Message>) -> Pumps {
    let dir = Dir::open(scratch.path()).unwrap();
    let streams = ["out", "err"].map(|stream| Stream {
        fifo: dir.make_fifo(&format!("{name}.{stream}")).unwrap(),
        sink: Sink::Plain(File::create(Path::new("/dev/null")).unwrap().into()),
        log: None,
    });
    Pumps::start(streams, to).unwrap()
}

/// Plays it to its end.
pub(crate) fn play(parts: Vec<Part>, director: Director) -> Played {
    let scratch = Scratch::new();
    let (log, told) = (Arc::new(Log::default()), Arc::new(Told::default()));
    let inbox = Inbox::new();
    let inboxes: Vec<Inbox<_>> = parts.iter().map(|_| Inbox::new()).collect();
    let names: Vec<String> = parts.iter().map(|part| part.task.name.clone()).collect();
    let asks = names.iter().cloned();
    let asks = asks.zip(inboxes.iter().map(|inbox| Asks(inbox.sender())));
    let sends = Mutex::new(Sends {
        alloc: inbox.sender(),
        asks: asks.collect(),
    });
    let cues = Mutex::new(director.cues);
    let tell = |event: Event<'_>| {
        let Event::Task(whose, event) = event else {
            return;
        };
        let words = format!("{} {event:?}", whose.task);
        told.push(&words);
        let mut cues = cues.lock().unwrap();
        if let Some(place) = cues.iter().position(|(cue, _)| words.starts_with(cue)) {
            (cues.remove(place).1)(&sends.lock().unwrap());
        }
    };
    let chronicle = Chronicle::new(&tell, None, AllocState::default());
    let all_pumps: Vec<Pumps> = names
        .iter()
        .zip(&inboxes)
        .map(|(name, inbox)| pumps(&scratch, name, &inbox.sender()))
        .collect();
    let stopping: Vec<Stopping> = names.iter().map(|_| Stopping::default()).collect();
    let voice = |place: usize| Voice {
        chronicle: &chronicle,
        whose: Whose {
            alloc_id: "a",
            group: "g",
            index: 0,
            task: &names[place],
        },
    };
    let seats: Vec<Seat<'_>> = parts
        .iter()
        .enumerate()
        .map(|(place, part)| Seat {
            voice: voice(place),
            role: Role {
                stage: Stage::of(&part.task),
                leader: part.task.leader,
                state: TaskState::Pending,
            },
            to: inboxes[place].sender(),
            stopping: stopping[place].clone(),
            started: false,
        })
        .collect();
    let kind = director.kind;
    let ear = &Ear::default();
    let (end, tasks) = std::thread::scope(|scope| {
        let to = inbox.sender();
        let threads: Vec<_> = parts
            .into_iter()
            .zip(inboxes)
            .enumerate()
            .map(|(place, (part, inbox))| {
                let reporter = Reporter {
                    voice: voice(place),
                    place,
                    to: to.clone(),
                };
                let (log, told) = (&log, &told);
                let (pumps, stopping) = (&all_pumps[place], stopping[place].clone());
                scope.spawn(move || {
                    let policy = part.task.restart.clone();
                    let runner = TaskRunner {
                        driver: &Script {
                            acts: Mutex::new(part.acts),
                            log,
                            told,
                        },
                        configures: &Plain(part.task.name.clone()),
                        steps: part.hooks.into_iter().map(Step::of).collect(),
                        stop: part.stop,
                        tracker: Tracker::of(policy, kind, &part.task, Instant::now()),
                        pumps,
                        feed: None,
                        inbox,
                        reporter,
                        stopping,
                        ear,
                        telling: Telling::BadEnds,
                        starts: 0,
                    };
                    runner.run()
                })
            })
            .collect();
        let end = AllocRunner::new(seats, inbox, director.times).run();
        let tasks = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        (end, tasks)
    });
    let log = log.lock().unwrap().clone();
    let state = chronicle.into_state();
    Played {
        end,
        tasks,
        log,
        state,
    }
}
