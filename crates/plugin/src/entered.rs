//! A command beside a task, over one stream in each direction: what a person types, what it prints, its end.
//!
//! Everything of one command is one future: when the client gives the call up it is dropped, and the command is killed with it.
use std::future::pending;
use std::io;
use std::time::Duration;

use driver::{ExitResult, Session};
use shim::Streams;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::failure::failed;
use crate::line::{Reader, Writer, readable};
use crate::proto::drivers::exec_task_streaming_request::{Setup, TerminalSize};
use crate::proto::drivers::{
    ExecTaskStreamingIoOperation as Operation, ExecTaskStreamingRequest as Request,
    ExecTaskStreamingResponse as Response,
};
use crate::service::blocking;
use crate::tasks::Tasks;
use crate::wire::exit_result;

const CHUNK: usize = 32 * 1024;

/// How long a terminal is silent before it is taken to hold nothing more of a command that has ended: the kernel passes on what was
/// written to a terminal a moment later.
const DRAINED: Duration = Duration::from_millis(100);

type Sender = mpsc::Sender<Result<Response, Status>>;

/// Starts the command that the first request describes and gives back what comes of it.
pub(crate) async fn stream(
    tasks: &Tasks,
    mut requests: Streaming<Request>,
) -> Result<ReceiverStream<Result<Response, Status>>, Status> {
    let setup = setup(&mut requests).await?;
    let known = tasks.get(&setup.task_id)?;
    let start = move || {
        known
            .task
            .exec_streaming(&setup.command, setup.tty)
            .map_err(|error| failed(&error))
    };
    let session = blocking(start).await?;
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            ended = converse(session, &mut requests, &sender) => {
                let last = ended.map(|result| Response { exited: true, result: Some(exit_result(&result)), ..Response::default() });
                let _ = sender.send(last).await;
            }
        }
    });
    Ok(ReceiverStream::new(receiver))
}

async fn setup(requests: &mut Streaming<Request>) -> Result<Setup, Status> {
    let first = requests.message().await?;
    first
        .and_then(|first| first.setup)
        .ok_or_else(|| Status::unknown("the first message must set the command up"))
}

/// Passes everything on until the command has ended and all that it printed is sent.
async fn converse(
    mut session: Session,
    requests: &mut Streaming<Request>,
    sender: &Sender,
) -> Result<ExitResult, Status> {
    let streams = session
        .streams
        .take()
        .ok_or_else(|| Status::unknown("the command has no streams"))?;
    pass_all(&session, streams, requests, sender)
        .await
        .map_err(|error| Status::unknown(format!("pass on the streams of the command: {error}")))?;
    blocking(move || session.wait().map_err(|error| failed(&error))).await
}

async fn pass_all(
    session: &Session,
    streams: Streams,
    requests: &mut Streaming<Request>,
    sender: &Sender,
) -> io::Result<()> {
    match streams {
        Streams::Terminal(master) => {
            let (typed, master) = (Writer::new(master.try_clone()?)?, Reader::new(master)?);
            tokio::select! {
                passed = terminal(session, &master, sender) => passed,
                never = type_in(session, requests, typed) => never,
            }
        }
        Streams::Pipes {
            stdin,
            stdout,
            stderr,
        } => {
            let (out, err) = (Reader::new(stdout)?, Reader::new(stderr)?);
            tokio::select! {
                passed = pipes(session, &out, &err, sender) => passed,
                never = type_in(session, requests, Writer::new(stdin)?) => never,
            }
        }
    }
}

/// A terminal ends with its leader; children that it left in the background may hold it open for ever.
async fn terminal(session: &Session, master: &Reader, sender: &Sender) -> io::Result<()> {
    tokio::select! {
        biased;
        read = pump(master, sender, stdout) => read?,
        ended = readable(session) => {
            ended?;
            while let Ok(more) = tokio::time::timeout(DRAINED, pass_on(master, sender, stdout)).await {
                if !more? {
                    break;
                }
            }
        }
    }
    close(sender, stdout).await
}

/// Pipes are passed on to their end, which a child in the background can put off, as in a shell's `$(…)`.
async fn pipes(session: &Session, out: &Reader, err: &Reader, sender: &Sender) -> io::Result<()> {
    tokio::try_join!(
        to_its_end(out, sender, stdout),
        to_its_end(err, sender, stderr)
    )?;
    readable(session).await
}

async fn to_its_end(
    line: &Reader,
    sender: &Sender,
    of: fn(Operation) -> Response,
) -> io::Result<()> {
    pump(line, sender, of).await?;
    close(sender, of).await
}

async fn close(sender: &Sender, of: fn(Operation) -> Response) -> io::Result<()> {
    let last = of(Operation {
        data: Vec::new(),
        close: true,
    });
    sender
        .send(Ok(last))
        .await
        .map_err(|_| io::ErrorKind::BrokenPipe.into())
}

async fn pump(line: &Reader, sender: &Sender, of: fn(Operation) -> Response) -> io::Result<()> {
    while pass_on(line, sender, of).await? {}
    Ok(())
}

/// Passes one piece on; `false` at the end. May be dropped while it reads: nothing is lost then.
async fn pass_on(
    line: &Reader,
    sender: &Sender,
    of: fn(Operation) -> Response,
) -> io::Result<bool> {
    // A place for it first, so that nothing is read that cannot be sent.
    let place = sender
        .reserve()
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
    let data = line.read(CHUNK).await?;
    let more = !data.is_empty();
    if more {
        place.send(Ok(of(Operation { data, close: false })));
    }
    Ok(more)
}

/// Passes on what comes from the other side. Never returns: that nothing more comes is not the end of anything.
async fn type_in<Never>(
    session: &Session,
    requests: &mut Streaming<Request>,
    stdin: Writer,
) -> Never {
    let mut stdin = Some(stdin);
    while let Ok(Some(request)) = requests.message().await {
        if let Some(TerminalSize { height, width }) = request.tty_size {
            // A size that does not fit changes nothing, nor does any for a command without a terminal.
            if let (Ok(rows), Ok(columns)) = (height.try_into(), width.try_into()) {
                let _ = session.resize(rows, columns);
            }
        }
        if let Some(Operation { data, close }) = request.stdin {
            let written = match &stdin {
                Some(line) => line.write_all(&data).await,
                None => Ok(()),
            };
            // A command that does not read any more may still print.
            if close || written.is_err() {
                stdin = None;
            }
        }
    }
    // Keeps what is left open: that nothing more comes is no end of input.
    let _open = stdin;
    pending().await
}

fn stdout(operation: Operation) -> Response {
    Response {
        stdout: Some(operation),
        ..Response::default()
    }
}

fn stderr(operation: Operation) -> Response {
    Response {
        stderr: Some(operation),
        ..Response::default()
    }
}
