//! What happened to a task, in words: Nomad shows them among the task's events.
use std::sync::Arc;
use std::time::SystemTime;

use driver::{ExitResult, Status, signals};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::proto::drivers as wire;
use crate::tasks::End;

/// Events that wait for a slow reader; older ones are lost to it.
const WAITING: usize = 1024;

type Item = Result<wire::DriverTaskEvent, tonic::Status>;

/// A task as its events name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) task_id: String,
    pub(crate) alloc_id: String,
    pub(crate) task_name: String,
    /// What it may use, in MiB; 0: that is not known.
    pub(crate) memory_mb: i64,
}

impl From<&wire::TaskConfig> for Subject {
    fn from(config: &wire::TaskConfig) -> Subject {
        let resources = config.resources.clone().unwrap_or_default();
        let memory = resources.allocated_resources.unwrap_or_default().memory;
        let memory = memory.unwrap_or_default();
        Subject {
            task_id: config.id.clone(),
            alloc_id: config.alloc_id.clone(),
            task_name: config.name.clone(),
            memory_mb: memory.memory_mb.max(memory.memory_max_mb),
        }
    }
}

/// Where events are told, and heard by any number of agents' streams.
#[derive(Debug, Clone)]
pub(crate) struct Events(Arc<broadcast::Sender<wire::DriverTaskEvent>>);

impl Default for Events {
    fn default() -> Events {
        Events(Arc::new(broadcast::Sender::new(WAITING)))
    }
}

impl Events {
    pub(crate) fn tell(&self, subject: &Subject, message: String) {
        // Without an agent that listens nobody misses it.
        let _ = self.0.send(wire::DriverTaskEvent {
            task_id: subject.task_id.clone(),
            alloc_id: subject.alloc_id.clone(),
            task_name: subject.task_name.clone(),
            timestamp: Some(SystemTime::now().into()),
            message,
            annotations: Default::default(),
        });
    }

    /// What was asked for and could not be had.
    pub(crate) fn started(&self, subject: &Subject, status: &Status) {
        for refusal in &status.refusals {
            self.tell(
                subject,
                format!("The task runs without something that was asked for: {refusal}"),
            );
        }
    }

    /// Why it ended, where its exit code does not say.
    pub(crate) fn ended(&self, subject: &Subject, end: &End) {
        if let Some(message) = cause(subject, end) {
            self.tell(subject, message);
        }
    }

    /// From now on. Never ends, since the agent would open it again at once and for ever.
    pub(crate) fn stream(&self) -> ReceiverStream<Item> {
        let (sender, receiver) = mpsc::channel(1);
        let heard = self.0.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                () = pass_on(heard, &sender) => {}
            }
        });
        ReceiverStream::new(receiver)
    }
}

async fn pass_on(
    mut heard: broadcast::Receiver<wire::DriverTaskEvent>,
    sender: &mpsc::Sender<Item>,
) {
    loop {
        let sent = match heard.recv().await {
            Ok(event) => sender.send(Ok(event)).await,
            Err(broadcast::error::RecvError::Lagged(_)) => Ok(()),
            // Not while the service is there.
            Err(broadcast::error::RecvError::Closed) => return sender.closed().await,
        };
        if sent.is_err() {
            return;
        }
    }
}

fn cause(subject: &Subject, end: &End) -> Option<String> {
    let result = match end {
        Ok(result) => result,
        Err(error) => return Some(format!("How the task ended cannot be told: {error}")),
    };
    if let Some(error) = &result.error {
        return Some(format!("The task was lost: {error}"));
    }
    if result.oom_killed {
        return Some(out_of_memory(subject.memory_mb));
    }
    result.killed_after.map(|signal| killed(result, signal))
}

fn out_of_memory(memory_mb: i64) -> String {
    let limit = match memory_mb {
        ..=0 => String::new(),
        limit => format!(" ({limit} MiB)"),
    };
    format!("Out of memory: the kernel killed the task, or a part of it, at its limit{limit}")
}

fn killed(result: &ExitResult, signal: i32) -> String {
    format!(
        "The task did not end in time after {} and was killed (exit code {})",
        signals::name(signal),
        result.exit_code
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio_stream::StreamExt as _;

    fn subject() -> Subject {
        Subject {
            task_id: "a/t/1".into(),
            alloc_id: "a".into(),
            task_name: "t".into(),
            memory_mb: 64,
        }
    }

    #[test]
    fn an_end_is_told_only_where_its_code_does_not_say() {
        let told = |result: ExitResult| cause(&subject(), &Ok(result));
        let ended = ExitResult {
            exit_code: 137,
            signal: 9,
            ..ExitResult::default()
        };
        assert_eq!(told(ended.clone()), None);
        let oom = ExitResult {
            oom_killed: true,
            ..ended.clone()
        };
        assert!(told(oom).unwrap().contains("64 MiB"));
        let late = ExitResult {
            killed_after: Some(15),
            ..ended.clone()
        };
        assert!(told(late).unwrap().contains("after SIGTERM and was killed"));
        let lost = ExitResult {
            error: Some("the shim was killed".into()),
            ..ended
        };
        assert_eq!(
            told(lost).unwrap(),
            "The task was lost: the shim was killed"
        );
    }

    #[tokio::test]
    async fn every_stream_hears_what_is_told_after_it_was_opened() {
        let events = Events::default();
        events.tell(&subject(), "before".into());
        let (mut one, mut other) = (events.stream(), events.stream());
        events.tell(&subject(), "after".into());
        for stream in [&mut one, &mut other] {
            let event = stream.next().await.unwrap().unwrap();
            assert_eq!(
                (event.message.as_str(), event.alloc_id.as_str()),
                ("after", "a")
            );
            assert!(event.timestamp.is_some());
        }
    }
}
