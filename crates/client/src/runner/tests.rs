//! The life of allocations, with tasks that do what a script says.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::time::Duration;

use driver::StartError;
use jobspec::{Hook, JobType, Lifecycle, RestartMode};

use crate::event::TaskEvent;
use crate::runner::allocation::{Message, Times};
use crate::runner::hook::{self, Ask, HookError, Next, OnFailure, Prestart, Recovery};
use crate::runner::order::{self, Fault, News};
use crate::runner::scripted::{Act, Cue, Director, Part, Played, Sends, play};
use crate::runs::{Delay, StopRequest};

fn lone(acts: &[Act]) -> Part {
    Part::new("t", acts)
}

fn hooked(name: &str, hook: Hook, sidecar: bool, acts: &[Act]) -> Part {
    Part::new(name, acts).with(|part| part.task.lifecycle = Some(Lifecycle { hook, sidecar }))
}

fn alone(part: Part) -> Played {
    play(vec![part], Director::default())
}

fn stop(to: &Sends) {
    to.alloc.send(Message::Stop(2)).unwrap();
}

fn kill_now(to: &Sends) {
    to.alloc.send(Message::KillNow(2)).unwrap();
}

fn cued(cues: &[Cue]) -> Director {
    Director {
        cues: cues.to_vec(),
        ..Director::default()
    }
}

/// Who was started, in which order.
fn starts(played: &Played) -> Vec<&str> {
    let starts = played
        .log
        .iter()
        .filter_map(|line| line.strip_prefix("start "));
    starts.collect()
}

fn position(played: &Played, line: &str) -> usize {
    let place = played.log.iter().position(|found| found == line);
    place.unwrap_or_else(|| panic!("{line:?} is not in {:?}", played.log))
}

#[test]
fn the_tasks_code_is_the_outcome() {
    assert_eq!(alone(lone(&[Act::Exit(0)])).tasks[0].code, Some(0));
    let failed = alone(lone(&[Act::Exit(7)]).never_again());
    assert_eq!(failed.tasks[0].code, Some(7));
    assert!(failed.tasks[0].failed);
    assert_eq!(
        failed.events("t"),
        ["Started", "Terminated", "Not Restarting"]
    );
}

#[test]
fn a_failing_task_is_restarted_until_its_attempts_are_used_up() {
    let played = alone(lone(&[Act::Exit(1), Act::Exit(2), Act::Exit(3)]));
    assert_eq!(played.tasks[0].code, Some(3));
    assert_eq!(starts(&played).len(), 3);
    let record = &played.state.task_states["t"];
    assert_eq!((record.restarts, record.failed), (2, true));
    let played = alone(lone(&[Act::Exit(1), Act::Exit(2), Act::Exit(0)]));
    assert_eq!(
        (played.tasks[0].code, played.tasks[0].failed),
        (Some(0), false)
    );
}

#[test]
fn a_start_that_fails_is_not_tried_again() {
    let played = alone(lone(&[Act::NoStart]));
    assert!(matches!(
        &played.tasks[0].fault,
        Some(Fault::Start(StartError::NotFound(_)))
    ));
    assert_eq!(played.events("t"), ["Driver Failure", "Not Restarting"]);
    assert!(!played.tasks[0].ran);
}

#[test]
fn a_start_for_which_the_host_has_no_room_is_tried_again_as_the_policy_says() {
    let played = alone(lone(&[Act::NoRoom, Act::Exit(0)]));
    assert_eq!(played.tasks[0].code, Some(0));
    assert!(played.tasks[0].fault.is_none() && !played.tasks[0].failed);
    let played = alone(lone(&[Act::NoRoom; 3]));
    let fault = &played.tasks[0].fault;
    assert!(matches!(fault, Some(Fault::Start(_))), "{fault:?}");
    assert_eq!(starts(&played).len(), 3);
}

#[test]
fn the_first_signal_is_polite_and_ends_the_run() {
    let director = Director {
        kind: JobType::Service,
        ..cued(&[("t Started", stop)])
    };
    let played = play(vec![lone(&[Act::UntilStopped(143)])], director);
    assert_eq!(played.tasks[0].code, Some(143));
    assert!(played.tasks[0].killed && played.end.stopped);
    assert_eq!(played.log[1], "stop t SIGTERM 5s");
    assert_eq!(
        played.events("t"),
        ["Started", "Killing", "Terminated", "Killed"]
    );
}

#[test]
fn the_second_signal_kills() {
    let director = cued(&[("t Started", stop), ("t Stopping", kill_now)]);
    let played = play(vec![lone(&[Act::UntilKilled])], director);
    assert_eq!(played.tasks[0].code, Some(137));
}

#[test]
fn a_signal_between_two_starts_ends_the_run() {
    let part = lone(&[Act::Exit(1)]).with(|part| {
        part.task.restart.delay = Duration::from_secs(600);
        part.task.restart.mode = RestartMode::Delay;
    });
    let played = play(vec![part], cued(&[("t Restarting", stop)]));
    assert_eq!(played.tasks[0].code, Some(130));
    assert!(played.tasks[0].killed);
}

#[test]
fn tasks_start_in_the_order_of_their_hooks() {
    let played = play(
        vec![
            hooked("after", Hook::Poststop, false, &[Act::Exit(0)]),
            hooked("greet", Hook::Poststart, false, &[Act::Exit(0)]),
            Part::new("main", &[Act::UntilStopped(0)]).with(|part| part.task.leader = true),
            hooked("side", Hook::Prestart, true, &[Act::UntilStopped(3)]),
            hooked("before", Hook::Prestart, false, &[Act::Exit(0)]),
        ],
        cued(&[("greet Exited", stop)]),
    );
    let order = starts(&played);
    let place = |name| order.iter().position(|found| *found == name).unwrap();
    assert!(place("before") < place("main") && place("side") < place("main"));
    assert_eq!(order[3..], ["greet", "after"]);
    assert!(position(&played, "stop main SIGTERM 5s") < position(&played, "stop side SIGTERM 5s"));
    assert!(played.tasks.iter().all(|task| !task.failed));
}

#[test]
fn a_prestart_task_that_fails_takes_the_allocation_with_it_and_poststop_runs() {
    let played = play(
        vec![
            hooked("before", Hook::Prestart, false, &[Act::Exit(9)]).never_again(),
            Part::new("main", &[]),
            hooked("after", Hook::Poststop, false, &[Act::Exit(0)]),
        ],
        Director::default(),
    );
    assert_eq!(starts(&played), ["before", "after"]);
    assert_eq!(played.end.failures, [0]);
    assert!(played.tasks[1].killed && !played.tasks[1].ran);
    assert_eq!(played.events("main"), ["Sibling Task Failed", "Killed"]);
    assert_eq!(played.state.client_status, "failed");
}

#[test]
fn a_main_task_that_fails_for_good_ends_its_siblings() {
    let played = play(
        vec![
            Part::new("one", &[Act::UntilStopped(143)]),
            Part::new("two", &[Act::Once("one Started", 1), Act::Exit(5)])
                .with(|part| part.task.restart.attempts = 1),
        ],
        Director::default(),
    );
    assert_eq!(played.end.failures, [1]);
    assert_eq!(played.tasks[1].code, Some(5));
    let events = [
        "Started",
        "Sibling Task Failed",
        "Killing",
        "Terminated",
        "Killed",
    ];
    assert_eq!(played.events("one"), events);
    let message = &played.state.task_states["one"].events[1].display_message;
    assert_eq!(message, "Task's sibling \"two\" failed");
}

#[test]
fn main_tasks_that_end_well_leave_the_others_alone() {
    let played = play(
        vec![
            Part::new("one", &[Act::Exit(0)]),
            Part::new("two", &[Act::Exit(1), Act::Exit(0)]),
        ],
        Director::default(),
    );
    assert_eq!(starts(&played).len(), 3);
    assert!(played.tasks.iter().all(|task| !task.killed));
}

#[test]
fn a_leaders_end_is_the_end_of_its_group() {
    let played = play(
        vec![
            Part::new("web", &[Act::UntilStopped(0)]),
            Part::new("log", &[Act::Once("web Started", 0)]).with(|part| part.task.leader = true),
        ],
        Director::default(),
    );
    assert_eq!(
        played.events("web")[1..],
        ["Leader Task Dead", "Killing", "Terminated", "Killed"]
    );
    assert!(played.end.failures.is_empty());
}

#[test]
fn sidecars_are_restarted_on_success_and_end_with_the_main_tasks() {
    let restart: fn(&Sends) = |to| {
        to.asks["main"].send(Ask::Restart {
            reason: "changed".to_owned(),
        });
    };
    let played = play(
        vec![
            Part::new("main", &[Act::UntilStopped(0), Act::Exit(0)]),
            hooked(
                "side",
                Hook::Prestart,
                true,
                // Not before the other runs: what a task is asked before its start is for naught.
                &[Act::Once("main Started", 0), Act::UntilStopped(0)],
            ),
        ],
        cued(&[("side Started", |_| ()), ("side Started", restart)]),
    );
    let starts = starts(&played);
    let of_side = starts.iter().filter(|name| **name == "side");
    assert_eq!(of_side.count(), 2);
    assert!(played.events("side").contains(&"Main Tasks Dead"));
    assert_eq!(played.tasks[0].code, Some(0));
    assert_eq!(played.state.task_states["main"].restarts, 1);
    assert!(played.events("main").contains(&"Restart Signaled"));
}

#[test]
fn a_shutdown_delay_comes_before_the_signal_and_the_groups_before_that() {
    let part = |name: &str| {
        Part::new(name, &[Act::UntilStopped(0)])
            .with(|part| part.stop.delay = Duration::from_millis(30))
    };
    let director = Director {
        times: Times {
            shutdown_delay: Duration::from_millis(30),
            max_run_duration: None,
        },
        ..cued(&[("t Started", stop)])
    };
    let began = std::time::Instant::now();
    let played = play(vec![part("t")], director);
    assert!(began.elapsed() >= Duration::from_millis(60));
    let events = [
        "Started",
        "Waiting for shutdown delay",
        "Killing",
        "Terminated",
        "Killed",
    ];
    assert_eq!(played.events("t"), events);
}

#[test]
fn another_signal_ends_all_delays() {
    let hour = Duration::from_secs(3600);
    let director = Director {
        times: Times {
            shutdown_delay: hour,
            max_run_duration: None,
        },
        ..cued(&[("t Started", stop), ("t GroupShutdownDelay", kill_now)])
    };
    let played = play(
        vec![
            lone(&[Act::UntilKilled]).with(|part| part.stop.delay = hour),
            hooked("after", Hook::Poststop, false, &[]),
        ],
        director,
    );
    assert_eq!(played.tasks[0].code, Some(137));
    assert_eq!(starts(&played), ["t"], "no poststop task starts any more");
}

#[test]
fn the_end_of_a_groups_time_ends_its_tasks_and_starts_no_others() {
    let director = Director {
        times: Times {
            shutdown_delay: Duration::ZERO,
            max_run_duration: Some(Duration::from_millis(300)),
        },
        ..Director::default()
    };
    let played = play(
        vec![
            lone(&[Act::UntilStopped(0)]),
            hooked("after", Hook::Poststop, false, &[]),
        ],
        director,
    );
    assert!(played.end.time_is_over);
    assert_eq!(starts(&played), ["t"]);
    let killing = &played.state.task_states["t"].events[1];
    assert_eq!(
        killing.display_message,
        "allocation exceeded max_run_duration"
    );
}

#[test]
fn what_is_asked_of_a_task_that_does_not_run_is_lost() {
    let restart: fn(&Sends) = |to| {
        to.asks["t"].send(Ask::Restart {
            reason: "changed".to_owned(),
        });
    };
    let part = lone(&[Act::Exit(1), Act::Exit(0)]);
    let played = play(vec![part], cued(&[("t Restarting", restart)]));
    assert_eq!(starts(&played).len(), 2);
    assert!(!played.events("t").contains(&"Restart Signaled"));
}

/// Is asked to stop in the midst of its work.
struct Long;

impl hook::Hook for Long {
    fn name(&self) -> &'static str {
        "long"
    }

    fn prestart(&mut self, start: &mut Prestart<'_>) -> Result<Next, HookError> {
        let kind = "Task hook message";
        (start.tell)(TaskEvent::Hook {
            kind,
            message: "working",
        });
        while !start.stopping.is_asked() {
            std::thread::yield_now();
        }
        Ok(Next::Again)
    }
}

#[test]
fn a_task_that_is_stopped_while_a_hook_works_is_never_started() {
    let part = lone(&[]).with(|part| part.hooks.push(Box::new(Long)));
    let played = play(vec![part], cued(&[("t Hook", stop)]));
    assert!(played.tasks[0].killed && !played.tasks[0].ran);
    assert_eq!(played.tasks[0].code, Some(130));
}

/// Fails so many times, then adds a variable.
struct Step {
    failures: u32,
    recovery: Recovery,
    calls: u32,
}

impl hook::Hook for Step {
    fn name(&self) -> &'static str {
        "step"
    }

    fn prestart(&mut self, start: &mut Prestart<'_>) -> Result<Next, HookError> {
        self.calls += 1;
        if self.calls <= self.failures {
            return Err(HookError {
                source: "not yet".into(),
                recovery: self.recovery,
            });
        }
        assert!(!start.stopping.is_asked());
        start
            .more_env
            .insert("CALLS".to_owned(), self.calls.to_string());
        Ok(Next::Done)
    }
}

fn with_step(failures: u32, recovery: Recovery, acts: &[Act]) -> Played {
    let step = Step {
        failures,
        recovery,
        calls: 0,
    };
    alone(lone(acts).with(|part| part.hooks.push(Box::new(step))))
}

#[test]
fn a_hook_that_may_succeed_later_is_tried_again_as_the_policy_says() {
    let played = with_step(2, Recovery::Retry, &[Act::Exit(0)]);
    assert_eq!(played.tasks[0].code, Some(0));
    assert!(played.tasks[0].fault.is_none());
    assert_eq!(
        played.events("t"),
        [
            "Task hook failed",
            "Restarting",
            "Task hook failed",
            "Restarting",
            "Started",
            "Terminated"
        ]
    );
    let played = with_step(9, Recovery::Retry, &[]);
    assert!(matches!(
        &played.tasks[0].fault,
        Some(Fault::Hook("step", _))
    ));
    assert_eq!(played.state.task_states["t"].restarts, 2);
}

#[test]
fn a_hook_that_can_never_succeed_fails_the_task() {
    let played = with_step(1, Recovery::GiveUp, &[]);
    assert!(matches!(
        &played.tasks[0].fault,
        Some(Fault::Hook("step", _))
    ));
    assert!(played.tasks[0].failed && !played.tasks[0].ran);
}

#[test]
fn a_script_that_fails_ends_the_task_where_that_is_wanted() {
    let fail: fn(&Sends) = |to| {
        to.asks["t"].send(Ask::Script {
            command: vec!["false".to_owned()],
            limit: Duration::from_secs(5),
            on_failure: OnFailure::Fail,
        });
    };
    let go_on: fn(&Sends) = |to| {
        to.asks["t"].send(Ask::Script {
            command: vec!["false".to_owned()],
            limit: Duration::from_secs(5),
            on_failure: OnFailure::GoOn,
        });
    };
    let played = play(
        vec![lone(&[Act::UntilStopped(0)])],
        cued(&[("t Started", fail)]),
    );
    let end = &played.tasks[0];
    assert!(end.failed && matches!(end.fault, Some(Fault::Hook("script", _))));
    let cues = cued(&[("t Started", go_on), ("t HookFailed", stop)]);
    let played = play(vec![lone(&[Act::UntilStopped(0)])], cues);
    assert!(!played.tasks[0].failed && played.tasks[0].killed);
}

#[test]
fn a_hook_that_fails_beside_the_task_fails_it_by_its_name() {
    let cues = cued(&[("t Started", fail)]);
    let played = play(vec![lone(&[Act::UntilStopped(0)])], cues);
    let end = &played.tasks[0];
    assert!(end.failed && matches!(end.fault, Some(Fault::Hook("beside", _))));
    assert_eq!(end.code, Some(0));
}

fn fail(to: &Sends) {
    to.asks["t"].send(Ask::Fail {
        hook: "beside",
        reason: "gone".to_owned(),
    });
}

fn restart(to: &Sends) {
    to.asks["t"].send(Ask::Restart {
        reason: "changed".to_owned(),
    });
}

#[test]
fn a_script_of_one_start_does_not_end_the_next() {
    let late: fn(&Sends) = |to| {
        let news = News::ScriptFailed("exited 1".to_owned(), OnFailure::Fail);
        to.asks["t"].0.send(order::Message::Of(1, news)).unwrap();
        stop(to);
    };
    let part = lone(&[Act::UntilStopped(1), Act::UntilStopped(0)]);
    let cues = cued(&[("t Started", restart), ("t Started", late)]);
    let played = play(vec![part], cues);
    assert_eq!(starts(&played).len(), 2);
    assert!(played.tasks[0].killed && !played.tasks[0].failed);
    assert!(!played.events("t").contains(&"Task hook failed"));
}

#[test]
fn what_came_first_is_why_a_task_ends() {
    let killed = cued(&[
        ("t Started", stop),
        ("t Stopping", fail),
        ("t HookFailed", kill_now),
    ]);
    let played = play(vec![lone(&[Act::UntilKilled])], killed);
    assert!(played.tasks[0].killed && !played.tasks[0].failed);
    let failed = cued(&[
        ("t Started", fail),
        ("t Stopping", |to| {
            stop(to);
            kill_now(to);
        }),
    ]);
    let played = play(vec![lone(&[Act::UntilKilled])], failed);
    assert!(played.tasks[0].failed && played.tasks[0].fault.is_some());
}

#[test]
fn a_signal_during_an_end_that_a_failure_began_leaves_it_a_failure() {
    let one = || Part::new("one", &[Act::UntilKilled]);
    let two = || Part::new("two", &[Act::Once("one Started", 5)]).never_again();
    let asked: fn(&Sends) = |to| {
        to.alloc.send(Message::Asked(request(None))).unwrap();
        kill_now(to);
    };
    let signals: fn(&Sends) = |to| {
        stop(to);
        kill_now(to);
    };
    for act in [asked, signals] {
        let played = play(vec![one(), two()], cued(&[("one Stopping", act)]));
        assert_eq!(played.end.failures, [1]);
        assert!(!played.end.stopped);
    }
    let first: fn(&Sends) = |to| stop(to);
    let played = play(
        vec![lone(&[Act::UntilStopped(0)])],
        cued(&[("t Started", first)]),
    );
    assert!(played.end.stopped);
}

fn request(task: Option<&str>) -> StopRequest {
    StopRequest {
        tasks: task.map(|task| vec![task.to_owned()]),
        kill_timeout: None,
        shutdown_delay: Delay::Keep,
    }
}

#[test]
fn a_task_that_is_stopped_before_its_work_is_done_lets_no_main_task_start() {
    let ask: fn(&Sends) = |to| {
        let request = request(Some("before"));
        to.alloc.send(Message::Asked(request)).unwrap();
    };
    for sidecar in [false, true] {
        let before = hooked("before", Hook::Prestart, sidecar, &[Act::UntilStopped(0)]);
        // The main task waits for this one in any case.
        let beside = hooked("beside", Hook::Prestart, false, &[Act::UntilStopped(0)]);
        let parts = vec![before, beside, Part::new("main", &[Act::Exit(0)])];
        let played = play(parts, cued(&[("before Started", ask)]));
        assert!(played.end.stopped);
        assert!(!starts(&played).contains(&"main"), "{:?}", played.log);
    }
}

#[test]
fn a_sidecar_is_stopped_alone_once_the_main_tasks_run() {
    let ask: fn(&Sends) = |to| {
        let request = request(Some("side"));
        to.alloc.send(Message::Asked(request)).unwrap();
    };
    let side = hooked("side", Hook::Prestart, true, &[Act::UntilStopped(0)]);
    let main = Part::new("main", &[Act::UntilStopped(3)]);
    let cues = cued(&[("main Started", ask), ("side Killed", stop)]);
    let played = play(vec![side, main], cues);
    assert!(position(&played, "stop side SIGTERM 5s") < position(&played, "stop main SIGTERM 5s"));
}
