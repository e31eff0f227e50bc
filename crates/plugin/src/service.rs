//! The driver's service: one call, one function of [`driver`].
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::pin::Pin;
use std::sync::Arc;

use driver::{Kind, StartError, TaskConfig};
use prost::Message;
use tokio::sync::watch;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::base::Configured;
use crate::denials::Ear;
use crate::events::Subject;
use crate::failure::{failed, not_started};
use crate::proto::drivers as wire;
use crate::proto::drivers::driver_server::Driver;
use crate::streams::{fingerprints, samples};
use crate::task_config::NotATask;
use crate::tasks::{Known, Tasks};
use crate::wire::{duration, exit_result, status};
use crate::{entered, features, log, schema};

/// The version of the handles given out here.
const HANDLE_VERSION: i32 = 1;

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The driver's service.
#[derive(Debug)]
pub(crate) struct Service {
    kind: Kind,
    configured: watch::Receiver<Option<Configured>>,
    tasks: Arc<Tasks>,
    ear: Ear,
}

impl Service {
    pub(crate) fn new(
        kind: Kind,
        configured: watch::Receiver<Option<Configured>>,
        ear: Ear,
    ) -> Service {
        Service {
            kind,
            configured,
            tasks: Arc::default(),
            ear,
        }
    }

    fn configured(&self) -> Result<Configured, Status> {
        let unset = || {
            Status::unknown(format!(
                "the driver {} is not configured yet",
                self.kind.name()
            ))
        };
        self.configured.borrow().clone().ok_or_else(unset)
    }
}

/// Runs what blocks on a thread for it; it goes on when the client gives up. A panic there is an error here.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(call)
        .await
        .unwrap_or_else(|error| Err(failed(&error)))
}

/// Starts the task that the message describes.
fn start(
    configured: &Configured,
    tasks: &Tasks,
    ear: &Ear,
    message: &[u8],
) -> Result<Arc<Known>, Status> {
    let message =
        wire::TaskConfig::decode(message).map_err(|error| failed(&NotATask::from(error)))?;
    let subject = Subject::from(&message);
    let task = TaskConfig::try_from(message).map_err(|error| failed(&error))?;
    let known = tasks.start(&subject, || {
        let holder = ear.hold(&configured.driver);
        let task = make_state_dir(configured)
            .and_then(|()| configured.driver.start(&task))
            .map_err(|error| not_started(&error))?;
        let listener = ear.listen(&task, &subject, &tasks.events, holder);
        Ok((task, listener))
    })?;
    report_withheld(&configured.driver.withheld(&task), &task.id);
    if let Ok(status) = known.task.inspect() {
        report_refusals(&status);
        tasks.events.started(&subject, &status);
    }
    Ok(known)
}

fn report_withheld(names: &[String], id: &str) {
    if !names.is_empty() {
        let pairs = [("task", id), ("names", &names.join(" "))];
        log::debug(
            "kept what the agent_env option does not let through",
            &pairs,
        );
    }
}

/// Here and not when the driver is configured: an agent starts its plugins more often than it uses them.
fn make_state_dir(configured: &Configured) -> Result<(), StartError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&configured.state_dir)
        .map_err(|source| StartError::Host {
            act: format!(
                "make the state directory {}",
                configured.state_dir.display()
            ),
            source: source.into(),
        })
}

/// What was wanted and could not be had is no error, and not silent either.
fn report_refusals(status: &driver::Status) {
    for refusal in &status.refusals {
        log::warn(
            "the task runs without something that was asked for",
            &[("task", &status.id), ("what", refusal)],
        );
    }
    for lacking in &status.lacking {
        log::debug(
            "this host lacks something that the task goes on without",
            &[("task", &status.id), ("what", lacking)],
        );
    }
}

/// Finds the task of a handle again. Nothing of the handle is used but its state and the task's id: the rest is not always there.
fn recover(
    configured: &Configured,
    tasks: &Tasks,
    ear: &Ear,
    handle: &wire::TaskHandle,
) -> Result<(), Status> {
    if handle.version != HANDLE_VERSION {
        return Err(Status::unknown(format!(
            "task handle of version {} is not known here",
            handle.version
        )));
    }
    let subject = subject(handle)?;
    tasks.recover(&subject, || {
        let holder = ear.hold(&configured.driver);
        let task = configured
            .driver
            .recover(&handle.driver_state)
            .map_err(|error| failed(&error))?;
        if task.id() == subject.task_id {
            let listener = ear.listen(&task, &subject, &tasks.events, holder);
            Ok((task, listener))
        } else {
            Err(Status::unknown(format!(
                "the handle is of task {}",
                task.id()
            )))
        }
    })
}

fn subject(handle: &wire::TaskHandle) -> Result<Subject, Status> {
    let config =
        wire::TaskConfig::decode(handle.config.as_slice()).map_err(|error| failed(&error))?;
    if config.id.is_empty() {
        Err(Status::unknown("the handle names no task"))
    } else {
        Ok(Subject::from(&config))
    }
}

/// What could not be recovered is destroyed as well: the records of a task that has ended go, one that runs is another plugin's, or ends
/// when the task is started anew.
fn destroy(
    configured: Option<&Configured>,
    tasks: &Tasks,
    id: &str,
    force: bool,
) -> Result<(), Status> {
    let Some(known) = tasks.find(id) else {
        return match configured {
            Some(configured) if force && tasks.is_free(id) => {
                let forgotten = configured.driver.forget_unknown(id);
                forgotten.map_err(|error| failed(&error))
            }
            _ => Ok(()),
        };
    };
    known.task.destroy(force).map_err(|error| failed(&error))?;
    tasks.forget(id, &known);
    Ok(())
}

#[tonic::async_trait]
impl Driver for Service {
    async fn init(&self, _: Request<wire::InitRequest>) -> Answer<wire::InitResponse> {
        Ok(Response::new(wire::InitResponse {}))
    }

    /// Tasks live on, so there is nothing to do before the process ends.
    async fn shutdown(&self, _: Request<wire::ShutdownRequest>) -> Answer<wire::ShutdownResponse> {
        Ok(Response::new(wire::ShutdownResponse {}))
    }

    async fn task_config_schema(
        &self,
        _: Request<wire::TaskConfigSchemaRequest>,
    ) -> Answer<wire::TaskConfigSchemaResponse> {
        let spec = Some(schema::of(self.kind.task_options()));
        Ok(Response::new(wire::TaskConfigSchemaResponse { spec }))
    }

    async fn capabilities(
        &self,
        _: Request<wire::CapabilitiesRequest>,
    ) -> Answer<wire::CapabilitiesResponse> {
        let capabilities = features::capabilities(&self.configured()?.driver.features());
        Ok(Response::new(wire::CapabilitiesResponse {
            capabilities: Some(capabilities),
        }))
    }

    type FingerprintStream = Answers<wire::FingerprintResponse>;

    async fn fingerprint(
        &self,
        _: Request<wire::FingerprintRequest>,
    ) -> Answer<Self::FingerprintStream> {
        Ok(Response::new(Box::pin(fingerprints(
            self.configured.clone(),
        ))))
    }

    async fn start_task(
        &self,
        request: Request<wire::StartTaskRequest>,
    ) -> Answer<wire::StartTaskResponse> {
        let (configured, tasks) = (self.configured()?, Arc::clone(&self.tasks));
        let ear = self.ear.clone();
        let handle = blocking(move || {
            let message = request.into_inner().task;
            let known = start(&configured, &tasks, &ear, &message)?;
            let (state, driver_state) = (wire::TaskState::Running.into(), known.task.handle());
            Ok(wire::TaskHandle {
                version: HANDLE_VERSION,
                config: message,
                state,
                driver_state,
            })
        });
        Ok(Response::new(wire::StartTaskResponse {
            handle: Some(handle.await?),
            ..Default::default()
        }))
    }

    async fn recover_task(
        &self,
        request: Request<wire::RecoverTaskRequest>,
    ) -> Answer<wire::RecoverTaskResponse> {
        let (configured, tasks) = (self.configured()?, Arc::clone(&self.tasks));
        let ear = self.ear.clone();
        let handle = request
            .into_inner()
            .handle
            .ok_or_else(|| Status::unknown("there is no handle to recover from"))?;
        blocking(move || recover(&configured, &tasks, &ear, &handle)).await?;
        Ok(Response::new(wire::RecoverTaskResponse {}))
    }

    async fn wait_task(
        &self,
        request: Request<wire::WaitTaskRequest>,
    ) -> Answer<wire::WaitTaskResponse> {
        let (result, err) = match self.tasks.get(&request.get_ref().task_id)?.ended().await {
            Ok(result) => (exit_result(&result), result.error.unwrap_or_default()),
            Err(error) => (wire::ExitResult::default(), error),
        };
        Ok(Response::new(wire::WaitTaskResponse {
            result: Some(result),
            err,
        }))
    }

    async fn stop_task(
        &self,
        request: Request<wire::StopTaskRequest>,
    ) -> Answer<wire::StopTaskResponse> {
        let request = request.into_inner();
        // The client would repeat a stop that fails, for minutes; a task that is not there needs none.
        if let Some(known) = self
            .tasks
            .find(&request.task_id)
            .filter(|known| !known.has_ended())
        {
            let grace = duration(request.timeout);
            blocking(move || {
                known
                    .task
                    .stop(&request.signal, grace)
                    .map_err(|error| failed(&error))
            })
            .await?;
        }
        Ok(Response::new(wire::StopTaskResponse {}))
    }

    async fn destroy_task(
        &self,
        request: Request<wire::DestroyTaskRequest>,
    ) -> Answer<wire::DestroyTaskResponse> {
        let (request, tasks) = (request.into_inner(), Arc::clone(&self.tasks));
        let configured = self.configured().ok();
        blocking(move || destroy(configured.as_ref(), &tasks, &request.task_id, request.force))
            .await?;
        Ok(Response::new(wire::DestroyTaskResponse {}))
    }

    async fn inspect_task(
        &self,
        request: Request<wire::InspectTaskRequest>,
    ) -> Answer<wire::InspectTaskResponse> {
        let known = self.tasks.get(&request.get_ref().task_id)?;
        let found = blocking(move || known.task.inspect().map_err(|error| failed(&error))).await?;
        let (task, driver) = status(&found);
        let (task, driver) = (Some(task), Some(driver));
        // An override would say that the driver made a network.
        Ok(Response::new(wire::InspectTaskResponse {
            task,
            driver,
            network_override: None,
        }))
    }

    type TaskStatsStream = Answers<wire::TaskStatsResponse>;

    async fn task_stats(
        &self,
        request: Request<wire::TaskStatsRequest>,
    ) -> Answer<Self::TaskStatsStream> {
        let request = request.into_inner();
        let known = self.tasks.find(&request.task_id);
        Ok(Response::new(Box::pin(samples(
            request.task_id,
            known,
            duration(request.collection_interval),
        ))))
    }

    type TaskEventsStream = Answers<wire::DriverTaskEvent>;

    async fn task_events(
        &self,
        _: Request<wire::TaskEventsRequest>,
    ) -> Answer<Self::TaskEventsStream> {
        Ok(Response::new(Box::pin(self.tasks.events.stream())))
    }

    async fn signal_task(
        &self,
        request: Request<wire::SignalTaskRequest>,
    ) -> Answer<wire::SignalTaskResponse> {
        let request = request.into_inner();
        let known = self.tasks.get(&request.task_id)?;
        blocking(move || {
            known
                .task
                .signal(&request.signal)
                .map_err(|error| failed(&error))
        })
        .await?;
        Ok(Response::new(wire::SignalTaskResponse {}))
    }

    async fn exec_task(
        &self,
        request: Request<wire::ExecTaskRequest>,
    ) -> Answer<wire::ExecTaskResponse> {
        let request = request.into_inner();
        let known = self.tasks.get(&request.task_id)?;
        let limit = Some(duration(request.timeout)).filter(|limit| !limit.is_zero());
        let done = blocking(move || {
            known
                .task
                .exec(&request.command, limit)
                .map_err(|error| failed(&error))
        })
        .await?;
        // Only stdout reaches whoever asked, so it has both.
        let result = Some(exit_result(&done.result));
        Ok(Response::new(wire::ExecTaskResponse {
            stdout: done.output,
            stderr: Vec::new(),
            result,
        }))
    }

    type ExecTaskStreamingStream = Answers<wire::ExecTaskStreamingResponse>;

    async fn exec_task_streaming(
        &self,
        request: Request<Streaming<wire::ExecTaskStreamingRequest>>,
    ) -> Answer<Self::ExecTaskStreamingStream> {
        Ok(Response::new(Box::pin(
            entered::stream(&self.tasks, request.into_inner()).await?,
        )))
    }

    async fn create_network(
        &self,
        _: Request<wire::CreateNetworkRequest>,
    ) -> Answer<wire::CreateNetworkResponse> {
        Err(Status::unimplemented("networks are made by the client"))
    }

    async fn destroy_network(
        &self,
        _: Request<wire::DestroyNetworkRequest>,
    ) -> Answer<wire::DestroyNetworkResponse> {
        Err(Status::unimplemented("networks are made by the client"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[allow(clippy::panic, reason = "what is tested")]
    async fn a_panic_is_an_error_of_its_call() {
        let error = blocking(|| -> Result<(), Status> { panic!("a mistake of ours") }).await;
        let error = error.map_err(|status| status.message().to_owned());
        assert!(error.is_err_and(|message| message.contains("a mistake of ours")));
        assert_eq!(blocking(|| Ok(1)).await.ok(), Some(1));
    }
}
