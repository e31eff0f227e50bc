//! What a job asks of the place it runs at: constraints, ports, networks, volumes for each allocation.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use world::{Ended, Running, World, world};

const DRIVERS: [&str; 2] = ["exec", "exec2"];

impl World {
    /// `encamp run` of a job that is not restarted.
    fn once(&self, job: &str, flags: &[&str]) -> Ended {
        let flags = [&["--rm", "--no-restart"], flags].concat();
        self.run_job(job, &flags)
    }
}

/// The value of a variable, from a task that prints its environment.
fn variable<'a>(ended: &'a Ended, name: &str) -> &'a str {
    let named = |line: &'_ str| line.starts_with(name) && line[name.len()..].starts_with('=');
    let line = ended.stdout.lines().find(|line| named(line));
    &line.unwrap_or_else(|| panic!("{name} in {}", ended.stdout))[name.len() + 1..]
}

/// One task that runs a script, in a group with more in it.
fn job(driver: &str, more: &str, script: &str) -> String {
    format!(
        r#"job "j" {{
  type = "batch"
  group "g" {{
{more}
    task "t" {{
      driver = "{driver}"
      config {{
        command = "/bin/sh"
        args    = ["-c", "{script}"]
      }}
    }}
  }}
}}
"#
    )
}

fn network(inner: &str) -> String {
    format!("    network {{\n{inner}\n    }}\n")
}

fn with_port(number: u16) -> String {
    network(&format!("port \"http\" {{\nstatic = {number}\n}}"))
}

/// A port that is free now, and stays so unless somebody takes just that one.
fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn a_task_is_told_its_ports() {
    let Some(world) = world() else { return };
    let number = free();
    let ports = network(&format!(
        "port \"http\" {{\nstatic = {number}\n}}\nport \"a-b\" {{}}"
    ));
    for driver in DRIVERS {
        let ended = world.once(&job(driver, &ports, "env"), &[]).exited(0);
        let number = number.to_string();
        for name in [
            "NOMAD_PORT_http",
            "NOMAD_HOST_PORT_http",
            "NOMAD_ALLOC_PORT_http",
        ] {
            assert_eq!(variable(&ended, name), number, "{driver} {name}");
        }
        assert_eq!(variable(&ended, "NOMAD_IP_http"), "127.0.0.1");
        assert_eq!(
            variable(&ended, "NOMAD_ADDR_http"),
            format!("127.0.0.1:{number}")
        );
        let drawn: u16 = variable(&ended, "NOMAD_PORT_a_b").parse().unwrap();
        assert!((20_000..32_000).contains(&drawn), "{drawn}");
        ended.says(&format!("http=127.0.0.1:{number} a-b=127.0.0.1:{drawn}"));
    }
    world.assert_clean();
}

#[test]
fn a_port_that_is_bound_ends_the_run_with_the_name_of_who_has_it() {
    let Some(world) = world() else { return };
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let number = listener.local_addr().unwrap().port();
        let ended = world.once(&job("exec2", &with_port(number), "true"), &[]);
        let ended = ended.exited(2);
        ended.says(&format!("port \"http\" = {number} is in use by "));
        ended.says(&format!("(pid {}, uid 0)", std::process::id()));
        ended.says("hcl:6,");
        world.assert_clean();
    }
}

#[test]
fn of_two_runs_with_one_port_the_second_is_refused() {
    let Some(world) = world() else { return };
    let job = job("exec2", &with_port(free()), "echo up; sleep 1000");
    let mut first = world.start_job(&job);
    assert_eq!(first.line(), "up\n");
    let ended = world.once(&job, &[]).exited(2);
    ended.says("is held by job \"j\" (alloc ");
    first.end_by(Signal::INT);
    world.assert_clean();
}

#[test]
fn the_port_of_a_killed_run_is_free_again_at_once() {
    let Some(world) = world() else { return };
    let network = with_port(free());
    let mut killed = world.start_job(&job("exec2", &network, "echo up; sleep 1000"));
    assert_eq!(killed.line(), "up\n");
    killed.end_by(Signal::KILL);
    world.once(&job("exec2", &network, "true"), &[]).exited(0);
    world.assert_clean();
}

#[test]
fn many_runs_at_once_have_ports_of_their_own() {
    let Some(world) = world() else { return };
    let job = job(
        "exec2",
        &network("port \"x\" {}"),
        "echo $NOMAD_PORT_x; sleep 1000",
    );
    let mut running: Vec<Running> = (0..8).map(|_| world.start_job(&job)).collect();
    let numbers: BTreeSet<String> = running.iter_mut().map(Running::line).collect();
    assert_eq!(numbers.len(), 8, "{numbers:?}");
    for run in running {
        run.end_by(Signal::INT);
    }
    world.assert_clean();
}

#[test]
fn mode_none_is_a_network_of_the_groups_own() {
    let Some(world) = world() else { return };
    let host = std::fs::read_link("/proc/self/ns/net").unwrap();
    for driver in DRIVERS {
        let more = network("mode = \"none\"");
        let script = "readlink /proc/self/ns/net; cat /proc/net/dev";
        let other = format!(
            "    task \"other\" {{\ndriver = \"{driver}\"\nconfig {{\ncommand = \"/bin/readlink\"\nargs = [\"/proc/self/ns/net\"]\n}}\n}}\n"
        );
        let ended = world.once(&job(driver, &(more + &other), script), &[]);
        let ended = ended.exited(0);
        let namespaces: Vec<&str> = ended
            .stdout
            .lines()
            .filter_map(|line| line.find("net:[").map(|at| &line[at..]))
            .collect();
        assert_eq!(namespaces.len(), 2, "{driver}: {}", ended.stdout);
        assert_eq!(namespaces[0], namespaces[1], "{driver}");
        assert_ne!(Path::new(namespaces[0]), host, "{driver}");
        let devices: Vec<&str> = ended
            .stdout
            .lines()
            .filter(|line| line.contains(':') && !line.contains("net:["))
            .collect();
        assert_eq!(devices.len(), 1, "{driver}: {devices:?}");
        assert!(devices[0].contains("lo:"), "{driver}: {devices:?}");
        world.assert_clean();
    }
}

#[test]
fn a_host_name_and_dns_are_the_groups() {
    let Some(world) = world() else { return };
    let inner = "hostname = \"web-${NOMAD_ALLOC_INDEX}\"\ndns {\nservers = [\"10.9.8.7\"]\n}";
    for driver in DRIVERS {
        let script = "hostname; cat /etc/resolv.conf";
        let ended = world.once(&job(driver, &network(inner), script), &[]);
        let ended = ended.exited(0);
        assert!(ended.stdout.starts_with("web-0\n"), "{}", ended.stdout);
        assert!(ended.stdout.contains("nameserver 10.9.8.7"), "{driver}");
    }
    world.assert_clean();
}

#[test]
fn a_constraint_that_is_not_met_is_told_in_nomads_words() {
    let Some(world) = world() else { return };
    let more = "constraint {\nattribute = attr.kernel.name\nvalue = \"darwin\"\n}\n";
    let job = job("exec2", more, "echo ran");
    let ended = world.once(&job, &[]).exited(2);
    ended.says(
        "* Constraint \"${attr.kernel.name} = darwin\": 1 nodes excluded by filter; ${attr.kernel.name} is \"linux\" here",
    );
    assert_eq!(ended.stdout, "");
    let ended = world.once(&job, &["--ignore-constraints"]).exited(0);
    assert_eq!(ended.stdout, "ran\n");
    world.assert_clean();
}

#[test]
fn constraints_that_the_documentation_of_the_drivers_has_are_met() {
    let Some(world) = world() else { return };
    let more = "constraint {\nattribute = \"${attr.driver.exec2.unveil.tasks}\"\nvalue = true\n}
      constraint {\nattribute = \"${attr.driver.exec}\"\nvalue = \"1\"\n}
      constraint {\nattribute = \"${attr.kernel.landlock}\"\noperator = \"is_set\"\n}
      constraint {\nattribute = \"${attr.kernel.version}\"\noperator = \"semver\"\nvalue = \">= 5.13.0\"\n}\n";
    world.once(&job("exec2", more, "true"), &[]).exited(0);
}

#[test]
fn what_is_for_a_cluster_is_warned_of_and_strict_refuses_it() {
    let Some(world) = world() else { return };
    let more = "consul {}\nspread {\nattribute = \"${node.datacenter}\"\n}\n";
    let job = job("exec2", more, "echo ran");
    let ended = world.once(&job, &[]).exited(0);
    ended.says("hcl:4,1-7: Without effect here; There is no Consul here");
    assert!(!ended.stderr.contains("spread"), "{}", ended.stderr);
    let ended = world.once(&job, &["--strict"]).exited(1);
    assert_eq!(ended.stdout, "");
    ended.says("There is no Consul here");
    assert_eq!(world.once(&job, &["-q"]).exited(0).stderr, "");
}

#[test]
fn a_volume_may_be_mounted_below_the_tasks_own_directory() {
    let Some(world) = world() else { return };
    let volume = world.dir.join("lent");
    std::fs::create_dir(&volume).unwrap();
    std::fs::set_permissions(&volume, PermissionsExt::from_mode(0o777)).unwrap();
    let path = volume.display();
    let config = world.file(&format!(
        "client {{\nhost_volume \"data\" {{\npath = \"{path}\"\n}}\n}}\n"
    ));
    let flags = ["-c", config.to_str().unwrap()];
    let more = "volume \"v\" {\ntype = \"host\"\nsource = \"data\"\n}\n";
    for driver in DRIVERS {
        let at = |destination: &str| {
            let mount =
                format!("volume_mount {{\nvolume = \"v\"\ndestination = \"{destination}\"\n}}");
            let script = format!(
                "cd $NOMAD_TASK_DIR/data && echo {driver} > by-{driver} && cat by-{driver}"
            );
            let job = job(driver, more, &script);
            world.once(
                &job.replace("      config {", &format!("      {mount}\n      config {{")),
                &flags,
            )
        };
        let ended = at("${NOMAD_TASK_DIR}/data").exited(0);
        assert_eq!(ended.stdout, format!("{driver}\n"));
        let by = std::fs::read_to_string(volume.join(format!("by-{driver}")));
        assert_eq!(by.unwrap(), format!("{driver}\n"));
        at("${NOMAD_TASK_NAME}/data")
            .exited(1)
            .says("the path must be absolute");
        world.assert_clean();
    }
}

#[test]
fn each_allocation_has_its_volume_and_its_ports() {
    let Some(world) = world() else { return };
    let mut config = "client {\n".to_owned();
    for index in 0..2 {
        let dir = world.dir.join(format!("v{index}"));
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("name"), format!("volume {index}\n")).unwrap();
        config += &format!(
            "host_volume \"data[{index}]\" {{\npath = \"{}\"\n}}\n",
            dir.display()
        );
    }
    let config = world.file(&(config + "}\n"));
    let more = "count = 2\nnetwork {\nport \"x\" {}\n}\nvolume \"v\" {\ntype = \"host\"\nsource = \"data\"\nper_alloc = true\n}\n";
    let script = "cat /mnt/name; echo port $NOMAD_PORT_x";
    let job = job("exec", more, script).replace(
        "      config {",
        "      volume_mount {\nvolume = \"v\"\ndestination = \"/mnt\"\n}\n      config {",
    );
    let flags = ["-c", config.to_str().unwrap()];
    let ended = world.once(&job, &flags).exited(0);
    assert!(ended.stdout.contains("volume 0") && ended.stdout.contains("volume 1"));
    let ports: BTreeSet<&str> = ended
        .stdout
        .lines()
        .filter_map(|line| line.split("port ").nth(1))
        .collect();
    assert_eq!(ports.len(), 2, "{}", ended.stdout);
    // Tasks of exec are nobody's, and the volumes root's.
    ended.says("volume \"v\" cannot be written to by uid ");
    let three = job.replace("count = 2", "count = 3");
    let ended = world.once(&three, &flags).exited(2);
    ended.says("there is no host_volume \"data[2]\" on this node: there are data[0], data[1]");
    world.assert_clean();
}

#[test]
fn the_node_is_shown_without_root_too() {
    for flags in [
        &["node", "status", "-self"][..],
        &["node", "status", "-json"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_encamp"));
        let ended = Ended::of(command.args(flags).output().unwrap()).exited(0);
        for word in ["kernel.name", "driver.exec", "unique.hostname", "exec2"] {
            assert!(ended.stdout.contains(word), "{word} in {}", ended.stdout);
        }
    }
}
