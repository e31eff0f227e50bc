//! The streams that tell the agent something from time to time.
use std::sync::Arc;
use std::time::Duration;

use driver::Fingerprint;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::base::Configured;
use crate::failure::failed;
use crate::proto::drivers::{FingerprintResponse, TaskStatsResponse};
use crate::service::blocking;
use crate::tasks::Known;
use crate::{usage, wire};

/// How often Nomad's own drivers look again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What Nomad samples at when the client does not say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

type Sender<T> = mpsc::Sender<Result<T, Status>>;

/// The host's fitness: at once, then whenever it changes. Never ends, since the agent would open it again at once and for ever.
pub(crate) fn fingerprints(
    configured: watch::Receiver<Option<Configured>>,
) -> impl Stream<Item = Result<FingerprintResponse, Status>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = tell_changes(configured, &sender) => {}
        }
    });
    ReceiverStream::new(receiver)
}

async fn tell_changes(
    mut configured: watch::Receiver<Option<Configured>>,
    sender: &Sender<FingerprintResponse>,
) {
    let mut told = None;
    loop {
        let driver = configured.borrow_and_update().clone();
        let now = look(driver).await;
        if told.as_ref() != Some(&now) {
            if sender.send(Ok(now.clone())).await.is_err() {
                return;
            }
            told = Some(now);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            Ok(()) = configured.changed() => {}
        }
    }
}

/// Looks at the host. An agent that has not configured the driver yet does not ask, another host may.
async fn look(configured: Option<Configured>) -> FingerprintResponse {
    let found = match configured {
        Some(configured) => blocking(move || Ok(configured.driver.fingerprint())).await,
        None => Ok(not_configured()),
    };
    match found {
        Ok(fingerprint) => wire::fingerprint(fingerprint),
        Err(error) => FingerprintResponse {
            err: error.message().to_owned(),
            ..Default::default()
        },
    }
}

fn not_configured() -> Fingerprint {
    let description = "the driver is not configured yet".to_owned();
    Fingerprint {
        health: driver::Health::Undetected,
        description,
        attributes: Default::default(),
    }
}

/// A task's usage at each interval, from now until it ends. Of a task that is not there, nothing: an error would be logged and
/// the stream opened again, each second.
pub(crate) fn samples(
    id: String,
    known: Option<Arc<Known>>,
    every: Duration,
) -> impl Stream<Item = Result<TaskStatsResponse, Status>> {
    let (sender, receiver) = mpsc::channel(1);
    if let Some(known) = known {
        tokio::spawn(async move {
            tokio::select! {
                () = sender.closed() => {}
                _ = known.ended() => {}
                () = sample(&id, &known, every, &sender) => {}
            }
        });
    }
    ReceiverStream::new(receiver)
}

async fn sample(id: &str, known: &Arc<Known>, every: Duration, sender: &Sender<TaskStatsResponse>) {
    let mut tick = interval(if every.is_zero() {
        DEFAULT_INTERVAL
    } else {
        every
    });
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let task = Arc::clone(&known.task);
        let found = blocking(move || task.stats().map_err(|error| failed(&error))).await;
        // The cgroup of a task that has just ended may be gone before its end is known.
        if found.is_err() && ends_soon(known).await {
            return;
        }
        let over = found.is_err();
        let message = found.map(|found| TaskStatsResponse {
            stats: Some(usage::stats(id, &found)),
        });
        if sender.send(message).await.is_err() || over {
            return;
        }
    }
}

async fn ends_soon(known: &Known) -> bool {
    tokio::time::timeout(Duration::from_secs(1), known.ended())
        .await
        .is_ok()
}
