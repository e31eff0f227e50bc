//! The process: how it starts, what it says first, how it ends.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs,
    clippy::print_stderr,
    reason = "tests"
)]

mod host;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::Duration;

use host::{COOKIE, Host, assert_hclog, command};
use plugin::proto::base::PluginInfoRequest;
use plugin::proto::base::base_plugin_client::BasePluginClient;
use plugin::proto::drivers::driver_client::DriverClient;
use plugin::proto::drivers::{CreateNetworkRequest, TaskEventsRequest};
use plugin::proto::plugin::grpc_broker_client::GrpcBrokerClient;
use plugin::proto::plugin::grpc_controller_client::GrpcControllerClient;
use plugin::proto::plugin::grpc_stdio_client::GrpcStdioClient;
use plugin::proto::plugin::{ConnInfo, Empty};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const SOON: Duration = Duration::from_secs(1);

#[test]
fn a_person_gets_words_and_a_failure() {
    for variables in [&[][..], &[(COOKIE.0, "guess")][..]] {
        let output = command("exec", variables).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(output.stdout, b"");
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(
            words.starts_with("nomad-driver-exec: this is a plugin of Nomad"),
            "{words}"
        );
    }
}

#[test]
fn a_host_that_encrypts_is_told_why_not() {
    let output = command("exec", &[COOKIE, ("PLUGIN_CLIENT_CERT", "-----BEGIN")])
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(1), &b""[..])
    );
    let words = String::from_utf8(output.stderr).unwrap();
    assert_hclog(&words);
    assert!(words.contains("PLUGIN_CLIENT_CERT"));
}

#[test]
fn the_first_line_names_a_private_socket_that_accepts() {
    let host = Host::start("exec", &[]);
    assert!(host.started < SOON);
    let socket = host.socket();
    assert_eq!(host.line, format!("1|2|unix|{}|grpc|\n", socket.display()));
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(socket), mode(socket.parent().unwrap())),
        (0o600, 0o700)
    );
    std::os::unix::net::UnixStream::connect(socket).unwrap();
}

#[test]
fn a_host_that_asks_for_multiplexing_gets_a_no() {
    let host = Host::start("exec", &[("PLUGIN_MULTIPLEX_GRPC", "true")]);
    assert!(host.line.ends_with("|grpc||false\n"), "{}", host.line);
}

#[test]
fn the_hosts_directory_is_used_and_one_that_is_too_long_is_not() {
    let directory = std::env::temp_dir().join(format!("plugin-test-{}", std::process::id()));
    let long = directory.join("x".repeat(100));
    std::fs::create_dir_all(&long).unwrap();
    let given = Host::start(
        "exec",
        &[("PLUGIN_UNIX_SOCKET_DIR", directory.to_str().unwrap())],
    );
    assert!(given.socket().starts_with(&directory));
    let fallen_back = Host::start("exec", &[("TMPDIR", long.to_str().unwrap())]);
    assert!(
        fallen_back.socket().starts_with("/tmp") && !fallen_back.socket().starts_with(&directory)
    );
    drop((given, fallen_back));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn ctrl_c_is_the_agents_and_a_termination_cleans_up() {
    let mut host = Host::start("exec", &[]);
    let directory = host.socket().parent().unwrap().to_owned();
    host.signal("INT");
    std::thread::sleep(Duration::from_millis(200));
    assert!(host.is_running());
    host.signal("TERM");
    let (status, stdout, stderr) = host.ended(SOON);
    assert_eq!(
        (status.code(), status.signal(), stdout.as_str()),
        (Some(143), None, "")
    );
    assert_hclog(&stderr);
    assert!(!directory.exists());
}

#[tokio::test]
async fn shutdown_ends_it_at_once_whatever_is_open() {
    let host = Host::start("exec2", &[]);
    let directory = host.socket().parent().unwrap().to_owned();
    let channel = host.connect().await;
    let events = DriverClient::new(channel.clone())
        .task_events(TaskEventsRequest {})
        .await
        .unwrap();
    let output = GrpcStdioClient::new(channel.clone())
        .stream_stdio(())
        .await
        .unwrap();
    GrpcControllerClient::new(channel)
        .shutdown(Empty {})
        .await
        .unwrap();
    let (status, stdout, stderr) = host.ended(SOON);
    assert_eq!((status.code(), stdout.as_str()), (Some(0), ""));
    assert_hclog(&stderr);
    assert!(!directory.exists());
    drop((events, output));
}

#[tokio::test]
async fn what_every_host_opens_stays_open_and_silent() {
    let host = Host::start("exec", &[]);
    let channel = host.connect().await;
    let mut output = GrpcStdioClient::new(channel.clone())
        .stream_stdio(())
        .await
        .unwrap()
        .into_inner();
    let mut events = DriverClient::new(channel.clone())
        .task_events(TaskEventsRequest {})
        .await
        .unwrap()
        .into_inner();
    let mut broker = GrpcBrokerClient::new(channel.clone());
    let mut connections = broker
        .start_stream(tokio_stream::pending::<ConnInfo>())
        .await
        .unwrap()
        .into_inner();
    let silence = async {
        tokio::select! {
            said = output.message() => panic!("stdio: {said:?}"),
            said = events.message() => panic!("events: {said:?}"),
            said = connections.message() => panic!("broker: {said:?}"),
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_millis(500), silence)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn it_says_who_it_is_and_that_it_is_well() {
    for (kind, version) in [("exec", "v0.2.0"), ("exec2", "v2.0.1")] {
        let host = Host::start(kind, &[]);
        let channel = host.connect().await;
        let health = HealthCheckRequest {
            service: "plugin".to_owned(),
        };
        let health = HealthClient::new(channel.clone())
            .check(health)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(health.status(), ServingStatus::Serving);
        let who = BasePluginClient::new(channel)
            .plugin_info(PluginInfoRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (who.name.as_str(), who.plugin_version.as_str(), who.r#type),
            (kind, version, 2)
        );
        assert_eq!(who.plugin_api_versions, ["v0.1.0"]);
    }
}

#[tokio::test]
async fn networks_are_not_made_here_and_the_connection_lives() {
    let host = Host::start("exec", &[]);
    let mut driver = DriverClient::new(host.connect().await);
    let error = driver
        .create_network(CreateNetworkRequest::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    driver.task_events(TaskEventsRequest {}).await.unwrap();
}

#[tokio::test]
async fn a_service_that_nobody_has_is_unimplemented_and_the_connection_lives() {
    let host = Host::start("exec", &[]);
    let channel = host.connect().await;
    let mut stranger = tonic::client::Grpc::new(channel.clone());
    stranger.ready().await.unwrap();
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        .parse()
        .unwrap();
    let codec = tonic_prost::ProstCodec::<PluginInfoRequest, PluginInfoRequest>::default();
    let answer = stranger
        .unary(tonic::Request::new(PluginInfoRequest {}), path, codec)
        .await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    let mut base = BasePluginClient::new(channel);
    base.plugin_info(PluginInfoRequest {}).await.unwrap();
}

/// The part of the next test that runs as somebody else: says whether the other end hung up.
#[test]
fn somebody_else_connects() {
    let Some(socket) = std::env::var_os("PLUGIN_TEST_SOCKET") else {
        return;
    };
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let read = std::io::Read::read(&mut stream, &mut [0; 1]);
    let hung_up = matches!(&read, Ok(0))
        || read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
    assert!(hung_up);
}

#[test]
fn another_users_connection_is_refused() {
    // Nobody else can connect as somebody else.
    if !need::require(&[need::Need::Root]) {
        return;
    }
    let host = Host::start("exec", &[]);
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(host.socket(), 0o666);
    open(host.socket().parent().unwrap(), 0o755);
    let other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "somebody_else_connects"])
        .env("PLUGIN_TEST_SOCKET", host.socket())
        .uid(65534)
        .output()
        .unwrap();
    assert!(
        other.status.success(),
        "{}",
        String::from_utf8_lossy(&other.stdout)
    );
}
