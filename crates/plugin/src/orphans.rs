//! Clears up behind tasks that the client forgot, for as long as the plugin runs.
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::base::Configured;
use crate::log;

/// The client removes the directory of an allocation when it likes: at once, hours later, or when the agent starts again.
const EVERY: Duration = Duration::from_secs(60);

/// Looks for them again and again, from the first configuration on.
pub(crate) async fn forget(mut configured: watch::Receiver<Option<Configured>>) {
    let mut minutes = interval(EVERY);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        let driver = match configured.wait_for(Option::is_some).await {
            Ok(known) => known.as_ref().map(|known| known.driver.clone()),
            Err(_) => return,
        };
        minutes.tick().await;
        let Some(driver) = driver else { continue };
        let looked = tokio::task::spawn_blocking(move || driver.forget_orphans()).await;
        if let Ok(outcome) = looked {
            report(&outcome, &mut told);
        }
    }
}

/// A failure once, not every minute.
fn report(outcome: &Result<usize, driver::Error>, told: &mut String) {
    match outcome {
        Ok(0) => {}
        Ok(count) => log::info(
            "cleared up behind tasks whose allocation is gone",
            &[("tasks", &count.to_string())],
        ),
        Err(error) => {
            let cause = driver::in_one_line(error);
            if *told != cause {
                log::warn(
                    "cannot clear up behind tasks whose allocation is gone",
                    &[("cause", &cause)],
                );
                *told = cause;
            }
        }
    }
}
