//! What the services answer without a task: descriptions, configuration, health, and ids that nobody knows.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod host;

use std::time::Duration;

use host::Host;
use plugin::proto::base::base_plugin_client::BasePluginClient;
use plugin::proto::base::{ConfigSchemaRequest, NomadConfig, SetConfigRequest};
use plugin::proto::drivers::driver_capabilities::FsIsolation;
use plugin::proto::drivers::driver_client::DriverClient;
use plugin::proto::drivers::fingerprint_response::HealthState;
use plugin::proto::drivers::*;
use plugin::proto::hclspec::spec::Block;
use prost::Message;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// What Nomad sends for exec2 without a word from the operator.
const EXEC2_DEFAULTS: &str = "83ae756e7665696c5f62795f7461736bc2af756e7665696c5f64656661756c7473c3ac756e7665696c5f7061746873c0";

struct Served {
    host: Host,
    base: BasePluginClient<Channel>,
    driver: DriverClient<Channel>,
}

async fn served(kind: &str) -> Served {
    let host = Host::start(kind, &[("ENCAMP_STATE_DIR", "/nonexistent/state")]);
    let channel = host.connect().await;
    Served {
        host,
        base: BasePluginClient::new(channel.clone()),
        driver: DriverClient::new(channel),
    }
}

impl Served {
    async fn configure(&mut self, msgpack: Vec<u8>, nomad: bool) -> Result<(), Status> {
        let nomad_config = nomad.then(NomadConfig::default);
        let request = SetConfigRequest {
            msgpack_config: msgpack,
            nomad_config,
            plugin_api_version: "v0.1.0".into(),
        };
        self.base.set_config(request).await.map(drop)
    }
}

async fn configured(kind: &str) -> Served {
    let mut served = served(kind).await;
    served.configure(Vec::new(), true).await.unwrap();
    served
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// What Nomad's converter asks of a description: an object at the top, a name everywhere, literals that are expressions.
fn assert_converts(spec: Option<plugin::proto::hclspec::Spec>) {
    let Some(Block::Object(object)) = spec.unwrap().block else {
        panic!("not an object")
    };
    assert!(!object.attributes.is_empty());
    for (key, spec) in object.attributes {
        let plain = match spec.block.unwrap() {
            Block::Default(default) => {
                let Some(Block::Literal(literal)) = default.default.unwrap().block else {
                    panic!("{key}: no literal")
                };
                let constant = matches!(literal.value.as_str(), "true" | "false")
                    || literal.value.starts_with(['"', '[']);
                assert!(constant, "{key}: {}", literal.value);
                default.primary.unwrap().block.unwrap()
            }
            plain => plain,
        };
        let (name, r#type) = match plain {
            Block::Attr(attr) => (attr.name, attr.r#type),
            Block::BlockAttrs(block) => (block.name, block.r#type),
            other => panic!("{key}: {other:?}"),
        };
        assert_eq!(name, key);
        assert!(
            ["string", "bool", "number", "list(string)"].contains(&r#type.as_str()),
            "{key}: {type}"
        );
    }
}

#[tokio::test]
async fn both_schemas_of_both_drivers_convert() {
    for kind in ["exec", "exec2"] {
        let mut served = served(kind).await;
        assert_converts(
            served
                .base
                .config_schema(ConfigSchemaRequest {})
                .await
                .unwrap()
                .into_inner()
                .spec,
        );
        let of_a_task = served
            .driver
            .task_config_schema(TaskConfigSchemaRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_converts(of_a_task.spec);
    }
}

#[tokio::test]
async fn a_configuration_is_checked_and_kept_only_when_the_agent_means_it() {
    let mut served = served("exec2").await;
    for good in [Vec::new(), bytes(EXEC2_DEFAULTS), bytes("80")] {
        served.configure(good, false).await.unwrap();
    }
    let early = served
        .driver
        .capabilities(CapabilitiesRequest {})
        .await
        .unwrap_err();
    assert_eq!(
        (early.code(), early.message()),
        (Code::Unknown, "the driver exec2 is not configured yet")
    );
    served.configure(bytes(EXEC2_DEFAULTS), true).await.unwrap();
    served
        .driver
        .capabilities(CapabilitiesRequest {})
        .await
        .unwrap();
}

#[tokio::test]
async fn a_bad_configuration_is_an_error_in_words() {
    // {"unveil_defaults": "maybe"}, an unknown value of cty's, and no msgpack.
    let wrong = [
        b"\x81\xafunveil_defaults\xa5maybe".to_vec(),
        bytes("81a161d40000"),
        vec![0xc1],
    ];
    let mut served = served("exec2").await;
    for bytes in wrong {
        let error = served.configure(bytes, true).await.unwrap_err();
        assert_eq!(error.code(), Code::Unknown);
        assert!(error.message().len() > 10, "{}", error.message());
    }
}

#[tokio::test]
async fn each_driver_has_its_own_kind_of_root() {
    for (kind, root) in [("exec", FsIsolation::Image), ("exec2", FsIsolation::Unveil)] {
        let mut served = configured(kind).await;
        let found = served
            .driver
            .capabilities(CapabilitiesRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_eq!(found.capabilities.unwrap().fs_isolation(), root);
    }
}

#[tokio::test]
async fn the_operator_can_have_the_client_make_the_root_of_exec() {
    let mut served = served("exec").await;
    let chroot = b"\x81\xacfs_isolation\xa6chroot".to_vec();
    served.configure(chroot, true).await.unwrap();
    let mut driver = served.driver.clone();
    let found = driver.capabilities(CapabilitiesRequest {}).await.unwrap();
    let capabilities = found.into_inner().capabilities.unwrap();
    assert_eq!(capabilities.fs_isolation(), FsIsolation::Chroot);
    let wrong = b"\x81\xacfs_isolation\xa4none".to_vec();
    let error = served.configure(wrong, true).await.unwrap_err();
    assert_eq!(
        error.message(),
        r#"fs_isolation must be "image" or "chroot", got "none""#
    );
}

#[tokio::test]
async fn every_capability_is_said_also_those_that_a_go_plugin_cannot_say() {
    for kind in ["exec", "exec2"] {
        let served = configured(kind).await;
        let mut driver = served.driver.clone();
        let found = driver.capabilities(CapabilitiesRequest {}).await.unwrap();
        let capabilities = found.into_inner().capabilities.unwrap();
        assert!(capabilities.send_signals && capabilities.exec);
        assert!(!capabilities.must_create_network && !capabilities.disable_log_collection);
        assert_eq!(
            capabilities.mount_configs(),
            driver_capabilities::MountConfigs::AnyMounts
        );
        assert_eq!(capabilities.dynamic_workload_users, kind == "exec2");
    }
}

#[tokio::test]
async fn init_and_shutdown_are_answered_and_the_plugin_stays() {
    for kind in ["exec", "exec2"] {
        let mut served = served(kind).await;
        let mut driver = served.driver.clone();
        // An agent that takes a plugin over does not configure it.
        driver.init(InitRequest {}).await.unwrap();
        served.configure(Vec::new(), true).await.unwrap();
        driver.init(InitRequest {}).await.unwrap();
        driver.shutdown(ShutdownRequest {}).await.unwrap();
        driver.capabilities(CapabilitiesRequest {}).await.unwrap();
    }
}

#[tokio::test]
async fn health_is_told_at_once_again_when_configured_and_then_no_more() {
    let mut served = served("exec").await;
    let mut health = served
        .driver
        .fingerprint(FingerprintRequest {})
        .await
        .unwrap()
        .into_inner();
    let first = health.message().await.unwrap().unwrap();
    assert_eq!(first.health(), HealthState::Undetected);
    served.configure(Vec::new(), true).await.unwrap();
    let second = tokio::time::timeout(Duration::from_secs(1), health.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(second.health() != HealthState::Undetected && second.err.is_empty());
    assert!(
        tokio::time::timeout(Duration::from_secs(1), health.message())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_id_that_nobody_knows_costs_no_retries() {
    let served = configured("exec").await;
    let mut driver = served.driver.clone();
    let task_id = || "a/t/1".to_owned();
    driver
        .stop_task(StopTaskRequest {
            task_id: task_id(),
            ..Default::default()
        })
        .await
        .unwrap();
    driver
        .destroy_task(DestroyTaskRequest {
            task_id: task_id(),
            force: true,
        })
        .await
        .unwrap();
    let stats = TaskStatsRequest {
        task_id: task_id(),
        collection_interval: None,
    };
    assert_eq!(
        driver
            .task_stats(stats)
            .await
            .unwrap()
            .into_inner()
            .message()
            .await
            .unwrap(),
        None
    );
    let errors = [
        driver
            .wait_task(WaitTaskRequest { task_id: task_id() })
            .await
            .unwrap_err(),
        driver
            .inspect_task(InspectTaskRequest { task_id: task_id() })
            .await
            .unwrap_err(),
        driver
            .signal_task(SignalTaskRequest {
                task_id: task_id(),
                signal: "HUP".into(),
            })
            .await
            .unwrap_err(),
        driver
            .exec_task(ExecTaskRequest {
                task_id: task_id(),
                ..Default::default()
            })
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(
            (error.code(), error.message()),
            (Code::Unknown, "task not found for given id")
        );
    }
}

#[tokio::test]
async fn a_strange_handle_is_refused() {
    let served = configured("exec").await;
    let mut driver = served.driver.clone();
    let config = TaskConfig {
        id: "a/t/1".into(),
        ..Default::default()
    }
    .encode_to_vec();
    let ours = TaskHandle {
        version: 1,
        config,
        state: TaskState::Running.into(),
        driver_state: b"garbage".to_vec(),
    };
    let strange = [
        None,
        Some(TaskHandle {
            version: 7,
            ..ours.clone()
        }),
        Some(TaskHandle {
            config: Vec::new(),
            ..ours.clone()
        }),
        Some(TaskHandle {
            config: vec![0xff],
            ..ours.clone()
        }),
        Some(ours),
    ];
    for handle in strange {
        let request = RecoverTaskRequest {
            task_id: String::new(),
            handle,
        };
        assert_eq!(
            driver.recover_task(request).await.unwrap_err().code(),
            Code::Unknown
        );
    }
}

#[tokio::test]
async fn a_stream_that_is_not_set_up_starts_nothing() {
    let served = configured("exec").await;
    let mut driver = served.driver.clone();
    let heartbeat = tokio_stream::once(ExecTaskStreamingRequest::default());
    let error = driver.exec_task_streaming(heartbeat).await.unwrap_err();
    assert_eq!(error.code(), Code::Unknown);
}

#[tokio::test]
async fn a_thousand_calls_at_once_leave_it_quick() {
    let served = configured("exec").await;
    let mut open = Vec::new();
    for _ in 0..1000 {
        let mut driver = served.driver.clone();
        open.push(tokio::spawn(async move {
            driver.task_events(TaskEventsRequest {}).await.unwrap()
        }));
    }
    for call in &mut open {
        call.await.unwrap();
    }
    let (mut driver, before) = (served.driver.clone(), std::time::Instant::now());
    driver.capabilities(CapabilitiesRequest {}).await.unwrap();
    assert!(
        before.elapsed() < Duration::from_millis(100),
        "{:?}",
        before.elapsed()
    );
    let threads = std::fs::read_dir(format!("/proc/{}/task", served.host.child.id()))
        .unwrap()
        .count();
    assert!(threads < 8, "{threads} threads");
}
