//! One job in the foreground: everything is settled, then made, then run, then unmade.
use std::sync::mpsc::Sender;
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use cgroup::Host;
use driver::{Driver, Health};
use jobspec::Job;

use crate::alloc_run::Around;
use crate::allocation::{Allocation, Allotment};
use crate::ear::Ear;
use crate::error::{Attempt, Error, HostError, Unavailable};
use crate::event::{Event, Tell};
use crate::feed::{Feed, Input};
use crate::here::Here;
use crate::message::Inbox;
use crate::naming::Naming;
use crate::outcome::Outcome;
use crate::output::{Outlet, Output};
use crate::plan::{Plan, each};
use crate::runner::allocation;
use crate::settings::{Keep, Settings};
use crate::site::{AllocSite, Site};
use crate::{feasible, ids, placement, ports, signals, volumes};

/// What the run hears of.
#[derive(Debug, Clone, Copy)]
enum Message {
    /// A signal was sent to us.
    Signal(i32),
    /// An allocation has ended.
    Over,
}

/// Runs a job's tasks to their ends and leaves nothing behind but what `settings.keep` says.
///
/// # Errors
/// The job, the host or a start is at fault; [`Error::exit_code`] says how a command ends then.
pub fn run(job: &Job, settings: &Settings, output: Output, tell: Tell<'_>) -> Result<u8, Error> {
    let plans = Plan::all(job)?;
    let here = Here::look(settings);
    feasible::node(job, settings, &here)?;
    output.input.check(job)?;
    each(plans.iter(), |plan| check_first(plan, settings, &here))?;
    let mut inbox = Inbox::new();
    let _listening = signals::listen(inbox.sender(), Message::Signal)?;
    let mut site = Site::open(settings, here, tell)?;
    let built = site.build(&plans);
    let mut ear = Ear::default();
    let ended = built.and_then(|()| run_all(&mut site, output, &mut inbox, &mut ear, tell));
    ear.end();
    for path in site.clear(tell) {
        tell(Event::Kept(&path));
    }
    ended
}

/// Everything about a task that can fail before anything is made.
fn check_first(plan: &Plan<'_>, settings: &Settings, here: &Here) -> Result<(), Error> {
    placement::driver(plan, &settings.node)?;
    let mut allocation = Allocation::plan(ids::uuid()?, 0, settings, here);
    allocation.ports = ports::before_claim(plan.group, &settings.node);
    let driver = plan.driver(settings, &allocation)?;
    require_driver(plan, &driver)?;
    driver
        .check_calls()
        .map_err(|error| plan.start_failed(error))?;
    for index in 1..plan.group.count {
        volumes::volumes(plan.group, plan.task, index, &settings.node)?;
    }
    let allotment = Allotment {
        volumes: volumes::volumes(plan.group, plan.task, 0, &settings.node)?,
        cores: plan.cores_before_claim(),
        ..allocation.allot(&plan.task.name, settings)
    };
    plan.check(&driver, &allocation, &allotment, settings)
}

fn require_driver(plan: &Plan<'_>, driver: &Driver) -> Result<(), Error> {
    let fingerprint = driver.fingerprint();
    if fingerprint.health == Health::Healthy {
        return Ok(());
    }
    Err(Error::MissingDriver {
        subject: plan.subject(),
        source: unavailable(plan.kind.name(), fingerprint.description),
    })
}

/// The drivers' words are Nomad's; what exactly is missing comes with them here.
fn unavailable(driver: &str, description: String) -> Unavailable {
    let (reason, way_out) = if !rustix::process::geteuid().is_root() {
        (description, Some("run it as root: sudo encamp run FILE"))
    } else if let Err(error) = Host::detect() {
        let way_out = "mount one: mount -t cgroup2 none /sys/fs/cgroup";
        (format!("{description}: {error}"), Some(way_out))
    } else {
        (
            description,
            Some("encamp doctor says what else this host lacks"),
        )
    };
    Unavailable {
        driver: driver.to_owned(),
        reason,
        way_out,
    }
}

/// Runs all allocations, each in a thread of its own, and passes signals on to them.
fn run_all(
    site: &mut Site<'_>,
    mut output: Output,
    inbox: &mut Inbox<Message>,
    ear: &mut Ear,
    tell: Tell<'_>,
) -> Result<u8, Error> {
    let tasks = site.allocs.iter().map(|alloc| alloc.tasks.len()).sum();
    let input = std::mem::replace(&mut output.input, Input::Nothing);
    let feed = site
        .allocs
        .first()
        .and_then(|alloc| Feed::new(input, alloc.tasks.first()?.allotment.stdout.clone()));
    let outlet = Outlet::of(output, tasks);
    let names = Naming::of(site.allocs.len());
    let settings = &site.settings;
    let tasks = site.allocs.iter().flat_map(|alloc| &alloc.tasks);
    *ear = Ear::open(settings, tasks.map(|task| &task.driver));
    let ear = &*ear;
    let chronicles: Vec<_> = site
        .allocs
        .iter()
        .map(|alloc| alloc.chronicle(tell, settings))
        .collect();
    for (alloc, chronicle) in site.allocs.iter().zip(&chronicles) {
        alloc.introduce(chronicle, settings);
    }
    let outcomes = thread::scope(|scope| {
        let running: Vec<_> = site
            .allocs
            .iter()
            .zip(&chronicles)
            .map(|(alloc, chronicle)| {
                let around = Around {
                    settings,
                    outlet: &outlet,
                    feed: feed.as_ref(),
                    names,
                    chronicle,
                    ear,
                };
                start(scope, alloc, around, inbox.sender())
            })
            .collect();
        relay(inbox, &running);
        running.into_iter().map(join).collect::<Vec<_>>()
    });
    drop(chronicles);
    conclude(site, outcomes)
}

type Started<'s> = (
    Sender<allocation::Message>,
    Result<ScopedJoinHandle<'s, Result<Outcome, Error>>, HostError>,
);

fn start<'s, 'e>(
    scope: &'s Scope<'s, 'e>,
    alloc: &'e AllocSite<'_>,
    around: Around<'e>,
    over: Sender<Message>,
) -> Started<'s> {
    let inbox = Inbox::new();
    let to = inbox.sender();
    let act = move || {
        let _over = Over(over);
        alloc.run(around, inbox)
    };
    let spawned = Builder::new()
        .name("allocation".to_owned())
        .spawn_scoped(scope, act);
    (to, spawned.attempt(|| "start a thread".to_owned()))
}

/// Says that an allocation's thread ends, however it does.
struct Over(Sender<Message>);

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(Message::Over);
    }
}

/// Passes signals on until all allocations have ended: the first is polite, each later one kills.
fn relay(inbox: &mut Inbox<Message>, running: &[Started<'_>]) {
    let mut live = running.iter().filter(|(_, thread)| thread.is_ok()).count();
    let mut as_message: fn(i32) -> allocation::Message = allocation::Message::Stop;
    if live < running.len() {
        // The host has no thread for one of them: the others are of no use.
        for (to, _) in running {
            let _ = to.send(allocation::Message::KillNow(0));
        }
    }
    while live > 0 {
        match inbox.next() {
            Message::Over => live -= 1,
            Message::Signal(signal) => {
                for (to, _) in running {
                    let _ = to.send(as_message(signal));
                }
                as_message = allocation::Message::KillNow;
            }
        }
    }
}

fn join((_, thread): Started<'_>) -> Result<Outcome, Error> {
    match thread?.join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Says which directories stay, and makes one result of all: the first fault, else the first code that is not 0.
fn conclude(site: &mut Site<'_>, outcomes: Vec<Result<Outcome, Error>>) -> Result<u8, Error> {
    let keep = site.settings.keep;
    let (mut fault, mut code) = (None, 0);
    for (alloc, outcome) in site.allocs.iter_mut().zip(outcomes) {
        match outcome {
            Ok(outcome) => {
                let wanted = match keep {
                    Keep::Failed => outcome.is_failure(),
                    Keep::Always => true,
                    Keep::Never => false,
                };
                alloc.keep = outcome.ran() && wanted;
                code = if code == 0 { outcome.code } else { code };
                fault = fault.or_else(|| alloc.fault(outcome.tasks));
            }
            Err(error) => fault = fault.or(Some(error)),
        }
    }
    fault.map_or(Ok(code), Err)
}
