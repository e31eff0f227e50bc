//! The three services that every go-plugin host opens.
use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::lifetime::Quit;
use crate::proto::plugin::grpc_broker_server::GrpcBroker;
use crate::proto::plugin::grpc_controller_server::GrpcController;
use crate::proto::plugin::grpc_stdio_server::GrpcStdio;
use crate::proto::plugin::{ConnInfo, Empty, StdioData};

type Silence<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A stream that stays open and never says anything.
fn silence<T: Send + 'static>() -> Silence<T> {
    Box::pin(tokio_stream::pending())
}

/// Ends the process when the host says so.
#[derive(Debug)]
pub(crate) struct Controller(pub(crate) Quit);

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.soon();
        Ok(Response::new(Empty {}))
    }
}

/// Would negotiate further connections; Nomad opens it and asks for none.
#[derive(Debug)]
pub(crate) struct Broker;

#[tonic::async_trait]
impl GrpcBroker for Broker {
    type StartStreamStream = Silence<ConnInfo>;

    async fn start_stream(
        &self,
        _: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        Ok(Response::new(silence()))
    }
}

/// Would forward what a plugin prints; this one prints nothing.
#[derive(Debug)]
pub(crate) struct Stdio;

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    type StreamStdioStream = Silence<StdioData>;

    async fn stream_stdio(
        &self,
        _: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(silence()))
    }
}
