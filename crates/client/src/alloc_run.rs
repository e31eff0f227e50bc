//! Runs one allocation: a runner for it, and one for each of its tasks in a thread of its own.
use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::thread::{self, Builder, Scope, ScopedJoinHandle};
use std::time::{Instant, SystemTime};

use driver::TaskConfig;
use jobspec::{Diagnostic, Hook, Restart, RestartMode};

use crate::allocation::{Allocation, Allotment, STDERR, STDOUT};
use crate::ear::Ear;
use crate::error::{Attempt, Error, HostError};
use crate::event::{TaskEvent, Tell, Whose};
use crate::feed::Feed;
use crate::message::Inbox;
use crate::naming::Naming;
use crate::outcome::Outcome;
use crate::output::logs::Rotation;
use crate::output::{Outlet, Pumps, Stream};
use crate::restart::Tracker;
use crate::runner::allocation::{AllocRunner, Message, Seat, Times};
use crate::runner::chronicle::{Chronicle, Reporter, Voice};
use crate::runner::hook::{self, Ground, Step, Stopping};
use crate::runner::lifecycle::{Role, Stage, TaskState};
use crate::runner::order::{self, Configures, Fault, Stop, TaskEnd};
use crate::runner::task::TaskRunner;
use crate::runs::Control;
use crate::settings::{Restarting, Settings};
use crate::site::{AllocSite, TaskSite};
use crate::state::{self, AllocState, Encamp, TaskFacts, TaskRecord};
use crate::volumes;

/// What Nomad sends when a job names no signal.
const KILL_SIGNAL: &str = "SIGINT";

/// What an allocation's runner has around it.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) outlet: &'a Outlet,
    pub(crate) feed: Option<&'a Feed>,
    pub(crate) names: Naming,
    pub(crate) chronicle: &'a Chronicle<'a>,
    pub(crate) ear: &'a Ear,
}

/// One task, as long as its allocation runs.
struct Desk<'a> {
    site: &'a TaskSite<'a>,
    allocation: &'a Allocation,
    settings: &'a Settings,
    ear: &'a Ear,
    feed: Option<&'a Feed>,
    voice: Voice<'a>,
    pumps: Pumps,
    to: Sender<order::Message>,
    stopping: Stopping,
}

impl AllocSite<'_> {
    fn whose<'s>(&'s self, task: &'s str) -> Whose<'s> {
        Whose {
            alloc_id: &self.allocation.id,
            group: &self.group.name,
            index: self.allocation.index,
            task,
        }
    }

    pub(crate) fn chronicle<'s>(&'s self, tell: Tell<'s>, settings: &Settings) -> Chronicle<'s> {
        Chronicle::new(tell, Some(self.run_dir.dir()), self.record(settings))
    }

    /// What is written down of it before anything has happened.
    fn record(&self, settings: &Settings) -> AllocState {
        let pending = TaskRecord {
            state: "pending".to_owned(),
            ..TaskRecord::default()
        };
        let (mut task_states, mut tasks) = (BTreeMap::new(), BTreeMap::new());
        for task in &self.tasks {
            let name = &task.plan.task.name;
            task_states.insert(name.clone(), pending.clone());
            tasks.insert(name.clone(), task.facts(&self.allocation, settings));
        }
        AllocState {
            id: self.allocation.id.clone(),
            name: self.allocation.name(self.job, self.group),
            job_id: self.job.id.clone(),
            job_type: self.job.kind.name().to_owned(),
            namespace: self.job.namespace.clone(),
            task_group: self.group.name.clone(),
            client_status: "pending".to_owned(),
            create_time: state::nanos(SystemTime::now()),
            task_states,
            encamp: Encamp {
                pid: std::process::id(),
                index: self.allocation.index,
                alloc_dir: self.allocation.alloc_dir.clone(),
                run_dir: self.allocation.run_dir.clone(),
                tasks,
            },
        }
    }

    /// Tells of each task before any of them starts.
    pub(crate) fn introduce(&self, chronicle: &Chronicle<'_>, settings: &Settings) {
        for task in &self.tasks {
            let whose = self.whose(&task.plan.task.name);
            let voice = Voice { chronicle, whose };
            voice.say_unwritten(TaskEvent::Received);
            voice.say_unwritten(TaskEvent::Setup);
            voice.say_unwritten(TaskEvent::Placed {
                user: &task.user,
                uid: task.owner.uid,
                ports: &self.allocation.ports,
            });
            for mount in volumes::unwritable(&task.allotment.volumes, task.owner, &task.groups) {
                voice.say_unwritten(TaskEvent::Unwritable {
                    volume: &mount.request_name,
                    path: &mount.host_path,
                    uid: task.owner.uid,
                });
            }
            let kill_timeout = task.plan.task.kill_timeout;
            let cap = task.stop(settings).grace;
            if kill_timeout > cap {
                voice.say_unwritten(TaskEvent::Capped { kill_timeout, cap });
            }
        }
        chronicle.write_down();
    }

    /// Runs its tasks to their ends.
    pub(crate) fn run(&self, around: Around<'_>, inbox: Inbox<Message>) -> Result<Outcome, Error> {
        let (mut desks, mut inboxes) = (Vec::new(), Vec::new());
        for task in &self.tasks {
            let inbox = Inbox::new();
            desks.push(self.desk(task, around, &inbox)?);
            inboxes.push(inbox);
        }
        let times = Times {
            shutdown_delay: self.group.shutdown_delay,
            max_run_duration: self.group.max_run_duration,
        };
        let seats = desks.iter().map(Desk::seat).collect();
        let to = inbox.sender();
        let _control = Control::listen(self.run_dir.dir(), move |request| {
            // A runner that has ended has nothing left to stop.
            let _ = to.send(Message::Asked(request));
        })?;
        let (end, tasks) = thread::scope(|scope| {
            let to = inbox.sender();
            let threads: Vec<_> = desks
                .iter()
                .zip(inboxes)
                .enumerate()
                .map(|(place, (desk, inbox))| desk.start(scope, place, inbox, to.clone()))
                .collect();
            let end = AllocRunner::new(seats, inbox, times).run();
            let tasks: Result<Vec<TaskEnd>, HostError> = threads.into_iter().map(join).collect();
            (end, tasks)
        });
        Ok(Outcome::of(self.group, &end, tasks?))
    }

    fn desk<'a>(
        &'a self,
        site: &'a TaskSite<'a>,
        around: Around<'a>,
        inbox: &Inbox<order::Message>,
    ) -> Result<Desk<'a>, Error> {
        let whose = self.whose(&site.plan.task.name);
        let to = inbox.sender();
        let pumps = Pumps::start(self.streams(site, around, whose)?, &to)?;
        Ok(Desk {
            site,
            allocation: &self.allocation,
            settings: around.settings,
            ear: around.ear,
            feed: around.feed,
            voice: Voice {
                chronicle: around.chronicle,
                whose,
            },
            pumps,
            to,
            stopping: Stopping::default(),
        })
    }

    fn streams(
        &self,
        site: &TaskSite<'_>,
        around: Around<'_>,
        whose: Whose<'_>,
    ) -> Result<[Stream; 2], HostError> {
        let [stdout, stderr] = around.outlet.sinks(&around.names.name(whose))?;
        let logs = site.plan.task.logs;
        let log = |stream| {
            let dir = self.logs.as_ref().filter(|_| !logs.disabled)?;
            Some(Rotation::new(dir, whose.task, stream, logs))
        };
        Ok([
            Stream {
                fifo: site.allotment.stdout.clone(),
                sink: stdout,
                log: log(STDOUT),
            },
            Stream {
                fifo: site.allotment.stderr.clone(),
                sink: stderr,
                log: log(STDERR),
            },
        ])
    }

    /// The first fault among its tasks.
    pub(crate) fn fault(&self, ends: Vec<TaskEnd>) -> Option<Error> {
        let mut faults = self.tasks.iter().zip(ends).filter_map(|(task, end)| {
            let fault = end.fault?;
            Some(task.explain(fault))
        });
        faults.next()
    }
}

impl<'a> Desk<'a> {
    fn seat(&self) -> Seat<'a> {
        let task = self.site.plan.task;
        Seat {
            voice: self.voice,
            role: Role {
                stage: Stage::of(task),
                leader: task.leader,
                state: TaskState::Pending,
            },
            to: self.to.clone(),
            stopping: self.stopping.clone(),
            started: false,
        }
    }

    fn start<'s, 'e>(
        &'s self,
        scope: &'s Scope<'s, 'e>,
        place: usize,
        inbox: Inbox<order::Message>,
        to: Sender<Message>,
    ) -> Result<ScopedJoinHandle<'s, TaskEnd>, HostError> {
        let reporter = Reporter {
            voice: self.voice,
            place,
            to: to.clone(),
        };
        let back_up = to.clone();
        let spawned = Builder::new()
            .name("task".to_owned())
            .spawn_scoped(scope, move || {
                let _last_word = LastWord { place, to: &to };
                self.runner(reporter, inbox).run()
            })
            .attempt(|| "start a thread".to_owned());
        if spawned.is_err() {
            // Nobody else would say that this task does not live.
            let _ = back_up.send(Message::Task(place, TaskState::Dead { failed: true }));
        }
        spawned
    }

    fn runner(
        &self,
        reporter: Reporter<'a>,
        inbox: Inbox<order::Message>,
    ) -> TaskRunner<'_, driver::Driver> {
        let plan = &self.site.plan;
        let hooks = hook::of_task(Ground {
            member: plan.member(),
            allocation: self.allocation,
            views: plan.views(self.allocation, &self.site.allotment, self.site.isolation()),
            cgroup: &self.site.cgroup,
            owner: self.site.owner,
            settings: self.settings,
        });
        let policy = policy(&plan.task.restart, self.settings);
        TaskRunner {
            driver: &self.site.driver,
            configures: self,
            steps: hooks.into_iter().map(Step::of).collect(),
            stop: self.site.stop(self.settings),
            tracker: Tracker::of(policy, plan.job.kind, plan.task, Instant::now()),
            pumps: &self.pumps,
            feed: self.feed,
            inbox,
            reporter,
            stopping: self.stopping.clone(),
            ear: self.ear,
            telling: self.settings.denials,
            starts: 0,
        }
    }

    fn allotment(&self, more: &BTreeMap<String, String>) -> Allotment {
        Allotment {
            env: more.clone(),
            ..self.site.allotment.clone()
        }
    }
}

/// Says that a task does not live when its runner ends by a bug of ours, which nobody would hear of otherwise.
struct LastWord<'a> {
    place: usize,
    to: &'a Sender<Message>,
}

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let dead = TaskState::Dead { failed: true };
            let _ = self.to.send(Message::Task(self.place, dead));
        }
    }
}

impl Configures for Desk<'_> {
    fn env(&self, more: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let (member, isolation) = (self.site.plan.member(), self.site.isolation());
        self.allocation
            .environment(member, &self.allotment(more), isolation)
    }

    fn config(&self, more: &BTreeMap<String, String>) -> Result<TaskConfig, Vec<Diagnostic>> {
        let mut task = self.site.config(self.allocation, &self.allotment(more))?;
        if let Some(feed) = self.feed {
            task.stdin = feed.stdin();
            if let Some(term) = feed.term() {
                task.env.entry("TERM".to_owned()).or_insert(term);
            }
        }
        Ok(task)
    }
}

impl TaskSite<'_> {
    fn stop(&self, settings: &Settings) -> Stop {
        let task = self.plan.task;
        let signal = task.kill_signal.as_ref();
        Stop {
            signal: signal
                .map_or(KILL_SIGNAL, |signal| &signal.value)
                .to_owned(),
            grace: task.kill_timeout.min(settings.node.max_kill_timeout),
            delay: task.shutdown_delay,
        }
    }

    fn facts(&self, allocation: &Allocation, settings: &Settings) -> TaskFacts {
        let Stop { signal, grace, .. } = self.stop(settings);
        let task = self.plan.task;
        let resources = &task.resources;
        let most =
            i64::try_from(resources.memory).map_or(0, |memory| memory.max(resources.memory_max));
        let hook = task.lifecycle.map_or("", |lifecycle| match lifecycle.hook {
            Hook::Prestart => "prestart",
            Hook::Poststart => "poststart",
            Hook::Poststop => "poststop",
        });
        let ports = allocation.ports.iter();
        TaskFacts {
            driver: self.plan.kind.name().to_owned(),
            hook: hook.to_owned(),
            user: self.user.clone(),
            uid: self.owner.uid,
            cpu: allocation.mhz(task),
            memory: if resources.memory_max < 0 {
                0
            } else {
                u64::try_from(most).unwrap_or(0)
            },
            ports: ports
                .map(|port| format!("{}={}", port.label, port.address()))
                .collect(),
            kill_signal: signal,
            kill_timeout: grace,
            pid: None,
        }
    }

    fn explain(&self, fault: Fault) -> Error {
        let subject = self.plan.subject();
        match fault {
            Fault::Hook(hook, source) => Error::Hook {
                subject,
                hook,
                source,
            },
            Fault::Job(mistakes) => Error::Job(mistakes),
            Fault::Start(source) => self.plan.start_failed(source),
            Fault::Lost(source) => Error::Lost { subject, source },
            Fault::Host(error) => error.into(),
        }
    }
}

fn join(thread: Result<ScopedJoinHandle<'_, TaskEnd>, HostError>) -> Result<TaskEnd, HostError> {
    match thread?.join() {
        Ok(end) => Ok(end),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn policy(policy: &Restart, settings: &Settings) -> Restart {
    match settings.restart {
        Restarting::AsTheJobSays => policy.clone(),
        Restarting::Never => Restart {
            attempts: 0,
            mode: RestartMode::Fail,
            ..policy.clone()
        },
    }
}
