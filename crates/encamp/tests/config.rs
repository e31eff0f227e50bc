//! `encamp run -c` and `encamp validate -c`: what an operator's configuration does to real tasks, and what is wrong with it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;

use world::{Ended, World, root};

impl World {
    fn open(&self, name: &str) {
        let open = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.dir.join(name), open).unwrap();
    }

    /// `encamp VERB -c a.hcl job.hcl` in this directory.
    fn command(&self, verb: &str, configuration: &str, job: &str) -> Command {
        self.write("a.hcl", configuration);
        self.write("job.hcl", job);
        let mut command = Command::new(env!("CARGO_BIN_EXE_encamp"));
        command.args([verb, "-c", "a.hcl", "job.hcl", "--run-dir", "run"]);
        command.stdin(Stdio::null()).current_dir(&self.dir);
        command
    }

    fn run_with(&self, configuration: &str, job: &str) -> Ended {
        let mut command = self.command("run", configuration, job);
        end(command.args(["--data-dir", "data", "--rm"]))
    }

    fn validate(&self, configuration: &str) -> Ended {
        end(&mut self.command("validate", configuration, &job("exec", "true", "")))
    }
}

fn end(command: &mut Command) -> Ended {
    Ended::of(command.output().unwrap())
}

/// A job whose task runs a shell script; `task` are more lines of the task.
fn job(driver: &str, script: &str, task: &str) -> String {
    grouped(driver, script, "", task)
}

fn grouped(driver: &str, script: &str, group: &str, task: &str) -> String {
    format!(
        r#"job "j" {{
  type = "batch"
  group "g" {{
    restart {{
      attempts = 0
      mode     = "fail"
    }}
    {group}
    task "t" {{
      driver = "{driver}"
      config {{
        command = "/bin/sh"
        args    = ["-c", {script:?}]
      }}
      {task}
    }}
  }}
}}
"#
    )
}

fn plugin(name: &str, lines: &str) -> String {
    format!("plugin \"{name}\" {{\n  config {{\n    {lines}\n  }}\n}}\n")
}

fn client(lines: &str) -> String {
    format!("client {{\n  {lines}\n}}\n")
}

/// What a script prints on a node with this configuration.
#[track_caller]
fn printed(configuration: &str, driver: &str, script: &str) -> String {
    let ended = World::new().run_with(configuration, &job(driver, script, ""));
    ended.exited(0).stdout
}

#[test]
fn options_of_exec_are_seen_from_inside() {
    if !root() {
        return;
    }
    let pid = printed(
        &plugin("exec", "default_pid_mode = \"host\""),
        "exec",
        "echo $$",
    );
    assert_ne!(pid, "1\n");
    assert_eq!(printed("", "exec", "echo $$"), "1\n");
    let ipc = "readlink /proc/self/ns/ipc";
    let host = std::fs::read_link("/proc/self/ns/ipc").unwrap();
    let seen = printed(
        &plugin("nomad-driver-exec", "default_ipc_mode = \"host\""),
        "exec",
        ipc,
    );
    assert_eq!(Path::new(seen.trim()), host);
    let bounding = "grep CapBnd /proc/self/status";
    let none = printed(&plugin("exec", "allow_caps = []"), "exec", bounding);
    assert_eq!(none.trim_start_matches("CapBnd:").trim(), "0".repeat(16));
    let some = printed(
        &plugin("exec", "allow_caps = [\"chown\"]"),
        "exec",
        bounding,
    );
    assert!(some.trim().ends_with("0000000000000001"), "{some}");
    let unpivoted = printed(
        &plugin("exec", "no_pivot_root = true"),
        "exec",
        "ls -d /local",
    );
    assert_eq!(unpivoted, "/local\n");
    let denied = World::new().run_with(
        &plugin("exec", "denied_host_uids = \"65534\""),
        &job("exec", "true", ""),
    );
    denied.exited(1).says("running as uid 65534 is disallowed");
}

#[test]
fn options_of_exec2_are_seen_from_inside() {
    if !root() {
        return;
    }
    let world = World::new();
    let shown = world.write("shown/file", "of the operator");
    world.open("shown");
    let paths = format!("unveil_paths = [\"r:{}\"]", shown.display());
    let script = format!("cat {}", shown.display());
    let seen = world.run_with(&plugin("exec2", &paths), &job("exec2", &script, ""));
    assert_eq!(seen.exited(0).stdout, "of the operator");
    assert_ne!(world.run_with("", &job("exec2", &script, "")).code, Some(0));

    let bare = "unveil_defaults = false\n unveil_paths = [\"rx:/bin\", \"rx:/usr\", \"rx:/lib\", \"rx:/lib64\"]";
    let hosts = "cat /etc/hosts >/dev/full 2>&1 || cat < /etc/hosts";
    assert_ne!(printed("", "exec2", "cat /etc/hosts"), "");
    let veiled = world.run_with(
        &plugin("nomad-driver-exec2", bare),
        &job("exec2", hosts, ""),
    );
    assert_ne!(veiled.code, Some(0), "{veiled:?}");

    let unveil =
        grouped("exec2", "true", "", "").replace("args ", "unveil = [\"r:/etc/shells\"]\n args ");
    world.run_with("", &unveil).exited(0);
    world
        .run_with(&plugin("exec2", "unveil_defaults = true"), &unveil)
        .exited(0);
    let refused = world
        .run_with(&plugin("exec2", "unveil_by_task = false"), &unveil)
        .exited(1);
    refused.says("job.hcl:");
}

#[test]
fn a_chroot_env_replaces_the_default_one() {
    if !root() {
        return;
    }
    let map =
        "\"/bin\" = \"/bin\"\n \"/lib\" = \"/lib\"\n \"/lib64\" = \"/lib64\"\n \"/usr\" = \"/usr\"";
    let script = "test -e /etc/passwd && echo there || echo not there";
    let block = client(&format!("chroot_env {{\n {map}\n }}"));
    assert_eq!(printed("", "exec", script), "there\n");
    assert_eq!(printed(&block, "exec", script), "not there\n");
    let own = plugin(
        "exec",
        &format!("chroot_env = {{\n {map}\n \"/etc\" = \"/etc\" \n }}"),
    );
    assert_eq!(printed(&format!("{block}{own}"), "exec", script), "there\n");
}

#[test]
fn the_node_has_its_own_names_uids_and_cgroups() {
    if !root() {
        return;
    }
    let parent = format!("encamp-config-{}.slice/inner.slice", std::process::id());
    let configuration = format!(
        "region = \"eu\"\ndatacenter = \"vienna\"\n{}",
        client(&format!(
            "cgroup_parent = \"/{parent}/\"\n users {{\n dynamic_user_min = 70007\n dynamic_user_max = 70007\n }}\n options = {{\n \"env.denylist\" = \"LANG\"\n }}"
        ))
    );
    let script = "id -u; echo $NOMAD_DC $NOMAD_REGION $NOMAD_PARENT_CGROUP .$LANG.$TZ; cat /proc/self/cgroup";
    let world = World::new();
    let mut command = world.command("run", &configuration, &job("exec2", script, ""));
    command.args(["--data-dir", "data", "--rm"]);
    let ended = end(command.env("LANG", "C").env("TZ", "UTC")).exited(0);
    let (head, cgroups) = ended.stdout.split_at(ended.stdout.find(" ..").unwrap());
    assert_eq!(head, format!("70007\nvienna eu {parent}"));
    assert!(cgroups.contains(&format!("/{parent}/")), "{cgroups}");
    remove_cgroups(&parent);
}

/// Removes what a run with a parent cgroup of its own leaves: the parents.
fn remove_cgroups(parent: &str) {
    let top = Path::new("/sys/fs/cgroup");
    let mounts = std::fs::read_dir(top).unwrap().flatten();
    let tops: Vec<PathBuf> = mounts
        .map(|entry| entry.path())
        .chain([top.to_owned()])
        .collect();
    for top in tops {
        for name in ["share", "reserve", "share.slice", "reserve.slice", ""] {
            let _ = std::fs::remove_dir(top.join(parent).join(name));
        }
        let _ = std::fs::remove_dir(top.join(Path::new(parent).parent().unwrap()));
    }
}

#[test]
fn a_long_kill_timeout_is_cut() {
    if !root() {
        return;
    }
    let world = World::new();
    let job = job("exec", "true", "kill_timeout = \"1m\"");
    let ended = world
        .run_with(&client("max_kill_timeout = \"2s\""), &job)
        .exited(0);
    ended.says("kill_timeout 1m0s is cut to 2s");
}

#[test]
fn the_operators_lists_keep_drivers_and_users_out() {
    if !root() {
        return;
    }
    let world = World::new();
    let barred = |option: &str, value: &str| {
        let options = client(&format!("options {{\n \"{option}\" = \"{value}\"\n }}"));
        let ended = world.run_with(&options, &job("exec", "true", "")).exited(2);
        ended.says(
            "task \"t\" (job.hcl:9): * Constraint \"missing drivers\": 1 nodes excluded by filter",
        );
        ended.says(option);
    };
    barred("driver.denylist", "exec");
    barred("driver.allowlist", "exec2,docker");
    let options = "options = {\n \"user.denylist\" = \"root,Administrator\"\n }";
    let root = |driver: &str| job(driver, "true", "user = \"root\"");
    let denied = world.run_with(&client(options), &root("exec")).exited(1);
    denied.says("job.hcl:15,14-20: Unusable user; running as user \"root\" is disallowed");
    world.run_with(&client(options), &root("exec2")).exited(0);
}

#[test]
fn volumes_are_those_of_the_node() {
    if !root() {
        return;
    }
    let world = World::new();
    for name in ["data", "data/below"] {
        std::fs::create_dir(world.dir.join(name)).unwrap();
        world.open(name);
    }
    world.write("data/file", "outer");
    world.write("below/file", "inner");
    let volume = |name: &str| {
        let path = world.dir.join(name);
        format!("host_volume \"{name}\" {{\n path = {path:?}\n }}\n")
    };
    let configuration = client(&(volume("data") + &volume("below")));
    let request =
        |name: &str| format!("volume \"{name}\" {{\n type = \"host\"\n source = \"{name}\"\n }}\n");
    let mount = |name: &str, at: &str| {
        format!("volume_mount {{\n volume = \"{name}\"\n destination = \"{at}\"\n }}\n")
    };
    let group = request("data") + &request("below");
    let mounts = mount("data", "/srv/data") + &mount("below", "/srv/data/below");
    let script = "cat /srv/data/file /srv/data/below/file";
    let seen = world
        .run_with(&configuration, &grouped("exec", script, &group, &mounts))
        .exited(0);
    assert_eq!(seen.stdout, "outerinner");

    let missing = world.run_with(
        &client(&volume("below")),
        &grouped("exec", "true", &group, &mounts),
    );
    let missing = missing.exited(2);
    missing.says("(job.hcl:10): * Constraint \"missing compatible host volumes\": 1 nodes excluded by filter");
    missing.says("there is no host_volume \"data\" on this node: there are below");
    let gone = client("host_volume \"data\" {\n path = \"/no/such\"\n }");
    let gone = world.run_with(
        &gone,
        &grouped("exec", "true", &request("data"), &mount("data", "/srv")),
    );
    gone.exited(2)
        .says("host_volume \"data\" is at /no/such: No such file or directory");
    let mine = grouped("exec", "true", &request("data"), &mount("data", "/proc/x"));
    let mine = world.run_with(&configuration, &mine).exited(1);
    mine.says("a volume cannot be mounted at \"/proc/x\"");
    mine.says("job.hcl:");
}

#[test]
fn the_data_directory_is_the_configurations_unless_it_is_given() {
    if !root() {
        return;
    }
    let world = World::new();
    let configuration = format!("data_dir = {:?}\n", world.dir.join("named"));
    let mut command = world.command("run", &configuration, &job("exec", "true", ""));
    end(command.arg("--rm")).exited(0);
    assert!(world.dir.join("named/alloc").is_dir());
    world
        .run_with(&configuration, &job("exec", "true", ""))
        .exited(0);
    assert!(world.dir.join("data/alloc").is_dir());
}

/// A configuration, and what is said of it.
const WRONG: [(&str, &[&str]); 20] = [
    (
        "data_dri = \"/x\"",
        &[
            "a.hcl:1,1-9: Unsupported argument; An argument named \"data_dri\" is not expected here. Did you mean \"data_dir\"?",
        ],
    ),
    (
        "data_dir = \"x\"",
        &["a.hcl:1,12-15: Invalid configuration; data_dir must be an absolute path, got \"x\"."],
    ),
    (
        "client {\n chroot_evn {\n }\n}",
        &["a.hcl:2,2-12: ", "Did you mean \"chroot_env\"?"],
    ),
    (
        "client {\n host_volume \"a\" {\n path = \"srv\"\n }\n}",
        &[
            "a.hcl:3,9-14: ",
            "path must be an absolute path, got \"srv\"",
        ],
    ),
    (
        "client {\n cgroup_parent = \"a/../b\"\n}",
        &[
            "a.hcl:2,18-26: ",
            "cgroup_parent must name a cgroup below the root",
        ],
    ),
    (
        "client {\n cgroup_parent = \"/\"\n}",
        &["cgroup_parent must name a cgroup below the root"],
    ),
    (
        "client {\n max_kill_timeout = \"-1s\"\n}",
        &["a.hcl:2,21-26: ", "must not be negative"],
    ),
    (
        "client {\n reserved {\n cores = \"3-1\"\n }\n}",
        &["a.hcl:3,10-15: ", "runs backwards"],
    ),
    (
        "client {\n reserved {\n cores = \"60000\"\n }\n}",
        &["a.hcl:3,10-17: ", "this host has no core 60000, only "],
    ),
    (
        "client {\n users {\n dynamic_user_min = 90000\n }\n}",
        &[
            "a.hcl:3,21-26: ",
            "dynamic_user_min (90000) must not be greater than dynamic_user_max (89999)",
        ],
    ),
    (
        "client {\n users {\n dynamic_user_min = 0\n }\n}",
        &[
            "a.hcl:3,21-22: ",
            "dynamic_user_min must be from 1 to 4294967294",
        ],
    ),
    (
        "client {\n users {\n dynamic_user_max = 4294967295\n }\n}",
        &["dynamic_user_max must be from 1 to 4294967294"],
    ),
    (
        "client {\n chroot_env {\n \"usr\" = \"/usr\"\n }\n}",
        &[
            "a.hcl:2,2-12: ",
            "chroot_env must map absolute paths to absolute paths below /",
        ],
    ),
    (
        "plugin \"exec\" {\n config {\n no_pivot = true\n }\n}",
        &[
            "a.hcl:3,2-10: ",
            "An argument named \"no_pivot\" is not expected here.",
        ],
    ),
    (
        "plugin \"exec\" {\n config {\n default_pid_mode = \"hosts\"\n }\n}",
        &[
            "a.hcl:3,21-28: ",
            "default_pid_mode must be \"private\" or \"host\", got \"hosts\"",
        ],
    ),
    (
        "plugin \"exec\" {\n config {\n allow_caps = [\"no\"]\n denied_host_uids = \"x\"\n }\n}",
        &[
            "a.hcl:3,15-21: ",
            "allow_caps configured with capabilities not supported by system: no",
        ],
    ),
    (
        "plugin \"exec2\" {\n config {\n unveil_path = []\n unveil_defaults = 5\n }\n}",
        &[
            "a.hcl:3,2-13: ",
            "Did you mean \"unveil_paths\"?",
            "a.hcl:4,20-21: ",
            "bool required, but have number",
        ],
    ),
    (
        "plugin \"nomad-driver-exec2\" {\n config {\n unveil_paths = [\"/etc\"]\n }\n}",
        &["a.hcl:3,17-25: ", "does not contain mode prefix"],
    ),
    (
        "plugin \"exec2\" {\n}\nplugin \"nomad-driver-exec2\" {\n}",
        &["a.hcl:3,1-28: ", "the other one is at a.hcl:1,1-15"],
    ),
    (
        "plugin \"exec22\" {\n}",
        &["a.hcl:1,8-16: ", "Did you mean \"exec2\"?"],
    ),
];

#[test]
fn mistakes_have_their_place() {
    let world = World::new();
    for (configuration, words) in WRONG {
        // Without cpuset nothing is known of cores.
        if configuration.contains("60000") && !geteuid().is_root() {
            continue;
        }
        let ended = world.validate(configuration).exited(1);
        words.iter().for_each(|words| {
            ended.says(words);
        });
    }
}

#[test]
fn a_good_configuration_is_in_the_way_of_nothing() {
    let world = World::new();
    let ended = world
        .validate("server {\n enabled = true\n}\nclient {\n servers = []\n}\n")
        .exited(0);
    assert!(
        ended.stderr.starts_with("job.hcl: the job is valid\n"),
        "{}",
        ended.stderr
    );
    let job = job("exec", "true", "");
    let told = end(world
        .command("validate", "server {\n}\nplugin \"docker\" {\n}\n", &job)
        .arg("-v"));
    told.says("a.hcl:1,1-7: server is for Nomad and means nothing here\n");
    told.says("a.hcl:3,1-16: plugin \"docker\" is for Nomad and means nothing here\n");
}

#[test]
fn files_of_a_directory_are_merged_in_the_order_of_their_names() {
    let world = World::new();
    world.write(
        "d/10.hcl",
        client(
            "options {\n \"driver.denylist\" = \"exec2\"\n }\n chroot_env {\n \"/a\" = \"/a\"\n }",
        ),
    );
    world.write(
        "d/20.hcl",
        &(client("host_volume \"v\" {\n path = \"/\"\n }")
            + &plugin("exec2", "unveil_by_task = false")),
    );
    world.write("d/30.hcl", plugin("exec2", "unveil_defaults = false"));
    world.write("d/.#30.hcl", "nonsense");
    world.write("d/30.hcl~", "nonsense");
    world.write("d/notes.txt", "nonsense");
    let job =
        grouped("exec2", "true", "", "").replace("args ", "unveil = [\"r:/etc/shells\"]\n args ");
    let validate = |path: &str| {
        let mut command = world.command("validate", "", &job);
        end(command.args(["-c", path]))
    };
    // A plugin's block is replaced as a whole: 30 takes back what 20 forbids.
    validate("d").exited(0);
    std::fs::remove_file(world.dir.join("d/30.hcl")).unwrap();
    validate("d").exited(1);
    world.write("d/40.hcl", "plugin \"nomad-driver-exec2\" {\n}\n");
    validate("d").exited(1).says("d/40.hcl:1,1-28: Invalid configuration; plugin \"nomad-driver-exec2\" and plugin \"exec2\" configure the same driver, exec2; the other one is at d/20.hcl:");
    world.write(
        "d/40.hcl",
        "client {\n users {\n dynamic_user_max = 5\n }\n}\n",
    );
    validate("d").exited(1).says("d/40.hcl:3,21-22: ");
    std::fs::remove_file(world.dir.join("d/40.hcl")).unwrap();
    world.write("d/50.json", "{}");
    validate("d")
        .exited(1)
        .says("d/50.json:1,1-2: Not supported yet; A configuration in JSON is not read here");
    validate("nowhere")
        .exited(1)
        .says("cannot read the configuration nowhere");
}

#[test]
fn etc_encamp_d_is_read_when_nothing_else_is_named() {
    if !root() {
        return;
    }
    let world = World::new();
    world.write("etc/encamp.d/a.hcl", "data_dri = \"/x\"\n");
    let job = world.write("job.hcl", job("exec", "true", ""));
    let script = format!(
        "mount -t overlay -o lowerdir={}:/etc overlay /etc && exec {} validate {}",
        world.dir.join("etc").display(),
        env!("CARGO_BIN_EXE_encamp"),
        job.display()
    );
    let ended = end(Command::new("unshare").args(["--mount", "sh", "-c", &script])).exited(1);
    ended.says("/etc/encamp.d/a.hcl:1,1-9: Unsupported argument");
}

#[test]
fn values_that_a_job_asks_for_have_their_place() {
    let world = World::new();
    for (group, task, words) in [
        (
            "",
            "resources {\n cpu = 5\n cores = 1\n }",
            "Task can only ask for 'cpu' or 'cores' resource, not both.",
        ),
        (
            "",
            "resources {\n cores = 0\n }",
            "\"cores\" must be from 1 to 65536.",
        ),
        (
            "",
            "volume_mount {\n volume = \"x\"\n destination = \"/x\"\n }",
            "Volume Mount (0) references undefined volume x; its group defines none.",
        ),
        (
            "volume \"x\" {\n type = \"csi\"\n source = \"y\"\n }",
            "",
            "A volume of type \"csi\" needs a cluster's storage plugins",
        ),
        (
            "volume \"x\" {\n type = \"host\"\n source = \"y\"\n }",
            "volume_mount {\n volume = \"x\"\n destination = \"x/../..\"\n }",
            "a volume cannot be mounted at \"x/../..\": the path must not contain \"..\"",
        ),
    ] {
        let job = grouped("exec2", "true", group, task);
        let ended = end(&mut world.command("validate", "", &job)).exited(1);
        ended.says(words);
        ended.says("job.hcl:");
    }
}
