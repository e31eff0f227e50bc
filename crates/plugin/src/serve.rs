//! From the environment to the end of the process.
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use driver::Kind;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tonic::transport::Server;

use crate::base::Base;
use crate::denials::Ear;
use crate::goplugin::{Broker, Controller, Stdio};
use crate::host::Host;
use crate::lifetime::{Orphaned, Quit};
use crate::proto::base::base_plugin_server::BasePluginServer;
use crate::proto::drivers::driver_server::DriverServer;
use crate::proto::plugin::grpc_broker_server::GrpcBrokerServer;
use crate::proto::plugin::grpc_controller_server::GrpcControllerServer;
use crate::proto::plugin::grpc_stdio_server::GrpcStdioServer;
use crate::service::Service;
use crate::socket::Socket;
use crate::{config, log, orphans};

/// Threads for calls that block: every StopTask holds one for as long as its task is given, and none may wait for another's.
const BLOCKING_THREADS: usize = 4096;

/// What go-plugin's health check asks for.
const HEALTH_NAME: &str = "plugin";

/// Why there is no plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotServed {
    /// A person started it.
    #[error(
        "this is a plugin of Nomad, which starts it itself: put it into the agent's plugin_dir"
    )]
    NoHost,
    /// The host wants an encrypted connection.
    #[error(
        "PLUGIN_CLIENT_CERT is set: this plugin speaks over its private socket without TLS, as Nomad does; unset the variable"
    )]
    WantsTls,
    /// The process could not set itself up.
    #[error("{act}")]
    Io {
        /// What was attempted.
        act: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The server failed.
    #[error("serve the agent")]
    Server(#[from] tonic::transport::Error),
}

/// Serves one of the drivers to the agent that started this process, until the agent says that it is over.
///
/// Without the agent's cookie in the environment it says on standard error what it is, and fails.
#[must_use]
pub fn serve(kind: Kind) -> ExitCode {
    match run(kind) {
        Ok(code) => code,
        Err(error @ NotServed::NoHost) => {
            let _ = writeln!(std::io::stderr(), "nomad-driver-{}: {error}", kind.name());
            ExitCode::FAILURE
        }
        Err(error) => {
            log::error(&driver::in_one_line(&error), &[]);
            ExitCode::FAILURE
        }
    }
}

fn run(kind: Kind) -> Result<ExitCode, NotServed> {
    let host = Host::from_env(|name| std::env::var_os(name))?;
    log::report_panics();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|source| NotServed::Io {
            act: "start the runtime",
            source,
        })?;
    let ended = runtime.block_on(session(kind, &host));
    // Calls that still block belong to tasks, and tasks live on.
    runtime.shutdown_background();
    ended
}

async fn session(kind: Kind, host: &Host) -> Result<ExitCode, NotServed> {
    let mut endings = Endings::new()?;
    let socket = Socket::bind(&host.socket_dirs).map_err(|source| NotServed::Io {
        act: "listen on a socket",
        source,
    })?;
    let open = Arc::new(AtomicUsize::new(0));
    let quit = Quit::default();
    let ear = Ear::default();
    let server = server(kind, &socket, &quit, &ear).serve_with_incoming(socket.connections(&open));
    announce(&host.line(socket.path())).map_err(|source| NotServed::Io {
        act: "announce the socket",
        source,
    })?;
    log::debug(
        "serving",
        &[
            ("driver", kind.name()),
            ("version", env!("CARGO_PKG_VERSION")),
        ],
    );
    let code = tokio::select! {
        ended = server => { ended?; ExitCode::FAILURE }
        () = quit.asked() => ExitCode::SUCCESS,
        () = Orphaned::new(open).wait() => {
            log::info("the agent is gone and no other came", &[]);
            ExitCode::SUCCESS
        }
        code = endings.next() => code,
    };
    ear.close();
    drop(socket);
    Ok(code)
}

fn server(kind: Kind, socket: &Socket, quit: &Quit, ear: &Ear) -> tonic::transport::server::Router {
    let place = config::Place::new(socket.directory());
    let base = Base::new(kind, place);
    let driver = Service::new(kind, base.driver(), ear.clone());
    tokio::spawn(orphans::forget(base.driver()));
    let (health, health_service) = tonic_health::server::health_reporter();
    tokio::spawn(async move {
        health
            .set_service_status(HEALTH_NAME, tonic_health::ServingStatus::Serving)
            .await
    });
    // The client sends what the job says, without a limit of its own.
    Server::builder()
        .add_service(health_service)
        .add_service(BasePluginServer::new(base).max_decoding_message_size(usize::MAX))
        .add_service(DriverServer::new(driver).max_decoding_message_size(usize::MAX))
        .add_service(GrpcControllerServer::new(Controller(quit.clone())))
        .add_service(GrpcBrokerServer::new(Broker))
        .add_service(GrpcStdioServer::new(Stdio))
}

/// The only bytes that ever go to standard output.
fn announce(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

/// Signals: Ctrl-C at the agent's terminal reaches the plugin too and is the agent's business; the others end it.
#[derive(Debug)]
struct Endings {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Endings {
    fn new() -> Result<Endings, NotServed> {
        let on = |kind| {
            signal(kind).map_err(|source| NotServed::Io {
                act: "listen for signals",
                source,
            })
        };
        Ok(Endings {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    /// The exit code of the first signal that ends the process.
    async fn next(&mut self) -> ExitCode {
        let died_of =
            |kind: SignalKind| ExitCode::from(128_u8.saturating_add(kind.as_raw_value() as u8));
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => return died_of(SignalKind::terminate()),
                _ = self.hangup.recv() => return died_of(SignalKind::hangup()),
            }
        }
    }
}
