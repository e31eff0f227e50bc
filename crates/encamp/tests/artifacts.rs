//! `artifact` blocks as their users have them: servers of every kind of goodness, and what a task finds of it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "artifacts/jobs.rs"]
mod jobs;
#[path = "../../client/src/artifacts/server.rs"]
mod server;
#[path = "artifacts/tls.rs"]
mod tls;
mod world;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Pid, Signal, kill_process};

use jobs::job;
use server::{Server, ok, redirect, status};
use world::{Ended, World, root};

const DRIVERS: [&str; 2] = ["exec", "exec2"];
const SCRIPT: &[u8] = b"#!/bin/sh\necho fetched by $(id -u)\n";

fn server() -> Server {
    Server::start(|path, to| match path {
        "/404" => status(to, "404 Not Found"),
        "/to-file" => redirect(to, "file:///etc/shadow"),
        _ => ok(to, SCRIPT),
    })
}

fn artifact(source: &str, more: &str) -> String {
    format!("artifact {{\n source = {source:?}\n {more}\n }}\n")
}

/// A tar of one entry.
fn tar(name: &str, kind: u8, mode: &str, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..100 + mode.len()].copy_from_slice(mode.as_bytes());
    let size = format!("{:011o}", content.len());
    header[124..135].copy_from_slice(size.as_bytes());
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn a_binary_with_its_sum_runs_by_its_bare_name_and_by_its_path() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), server());
    let sum = world.sum("sha256sum", SCRIPT);
    let options = format!("options {{\n checksum = \"sha256:{sum}\"\n }}");
    let artifact = artifact(&server.url("/name-of-my-binary"), &options);
    for command in ["name-of-my-binary", "local/name-of-my-binary"] {
        let ended = world
            .run_text(&job("exec", command, &[], &artifact))
            .exited(0);
        assert_eq!(ended.stdout, "fetched by 65534\n", "{command}");
        ended.says_all(&[
            "t: Client is downloading artifacts",
            &format!("t: fetched {} (35 B in ", server.url("/name-of-my-binary")),
        ]);
    }
    world.assert_clean();
}

#[test]
fn the_impossible_sum_of_the_drivers_page_is_told_before_anything_is_fetched() {
    let (world, server) = (World::new(), server());
    let options = "options {\n checksum = \"sha256:abd123445ds4555555555\"\n }";
    let text = job("exec", "x", &[], &artifact(&server.url("/x"), options));
    for command in ["run", "validate"] {
        let ended = world.command(command, &text).exited(1);
        ended.says_all(&[
            ".nomad.hcl:18,",
            "invalid checksum: encoding/hex: invalid byte: U+0073 's'",
        ]);
    }
    assert!(server.heads().is_empty());
    world.assert_clean();
}

#[test]
fn what_no_artifact_can_be_is_told_with_its_place_before_anything_is_fetched() {
    let (world, server) = (World::new(), server());
    let good = artifact(&server.url("/x"), "");
    for (source, more, words) in [
        (
            "git::https://h/x",
            "",
            "download not supported for scheme 'git'",
        ),
        (
            "s3::https://h/x",
            "",
            "download not supported for scheme 's3'",
        ),
        (
            "/etc/shadow",
            "",
            "download not supported for scheme 'file'",
        ),
        (
            "http://h/${NOMAD_META_name}",
            "",
            "it ends with no file name",
        ),
        (
            "http://h/x",
            "destination = \"${NOMAD_META_up}\"",
            "artifact destination path escapes alloc directory",
        ),
        (
            "http://h/x",
            "destination = \"../../x\"",
            "destination escapes allocation directory",
        ),
    ] {
        let more = format!(
            "{good}{}meta {{\n up = \"../../../x\"\n name = \"%2e%2e\"\n }}",
            artifact(source, more)
        );
        let ended = world
            .command("validate", &job("exec", "x", &[], &more))
            .exited(1);
        ended.says_all(&[words, ".nomad.hcl:"]);
    }
    assert!(server.heads().is_empty());
}

#[test]
fn failures_are_told_and_leave_nothing() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), server());
    let wrong = format!("options {{\n checksum = \"md5:{}\"\n }}", "0".repeat(32));
    let got = format!("Got: md5:{}", world.sum("md5sum", SCRIPT));
    for (path, more, words) in [
        ("/404", "", "bad response code: 404"),
        ("/to-file", "", "download not supported for scheme 'file'"),
        ("/x", wrong.as_str(), got.as_str()),
        ("/x.tgz", "", "cannot unpack it: "),
    ] {
        let artifact = artifact(&server.url(path), more);
        let ended = world
            .run_text(&job("exec", "x", &[], &artifact))
            .exited(125);
        let source = format!("failed to download artifact {:?}: ", server.url(path));
        ended.says_all(&[words, &source]);
        world.assert_clean();
    }
}

#[test]
fn a_failed_download_is_tried_again_as_the_restart_policy_says() {
    if !root() {
        return;
    }
    let world = World::new();
    let asked = AtomicU32::new(0);
    let server = Server::start(move |path, to| match path {
        "/flaky" if asked.fetch_add(1, Ordering::Relaxed) == 0 => {
            status(to, "503 Service Unavailable");
        }
        _ => ok(to, SCRIPT),
    });
    let more = artifact(&server.url("/x"), "")
        + &artifact(&server.url("/flaky"), "")
        + "restart {\n attempts = 1\n delay = \"10ms\"\n interval = \"1h\"\n mode = \"fail\"\n }\n";
    let ended = world.run_text(&job("exec", "flaky", &[], &more)).exited(0);
    ended.says_all(&["bad response code: 503", "restarting in "]);
    let asked: Vec<_> = server.heads();
    assert_eq!(
        asked.len(),
        3,
        "what is there is not fetched again: {asked:?}"
    );
    world.assert_clean();
}

#[test]
fn https_is_trusted_by_its_ca_or_on_request() {
    if !root() {
        return;
    }
    let world = World::new();
    let (server, ca) = tls::start(|_, to| ok(to, SCRIPT));
    let ca_file = world.write("ca.pem", ca.as_bytes());
    let text = |more: &str| job("exec", "x", &[], &artifact(&server.url("/x"), more));
    let ended = world.run_text(&text("")).exited(125);
    ended.says_all(&["certificate", "SSL_CERT_FILE"]);
    let mut known = world.prepare("run", &text(""));
    let known = Ended::of(known.env("SSL_CERT_FILE", &ca_file).output().unwrap()).exited(0);
    assert_eq!(known.stdout, "fetched by 65534\n");
    let _ = world.run_text(&text("insecure = true")).exited(0);
    world.assert_clean();
}

#[test]
fn a_redirect_away_from_https_needs_a_sum() {
    if !root() {
        return;
    }
    let world = World::new();
    let plain = server();
    let to = plain.url("/x");
    let (server, ca) = tls::start(move |_, stream| redirect(stream, &to));
    let ca_file = world.write("ca.pem", ca.as_bytes());
    let run = |more: &str| {
        let text = job("exec", "x", &[], &artifact(&server.url("/x"), more));
        let mut command = world.prepare("run", &text);
        Ended::of(command.env("SSL_CERT_FILE", &ca_file).output().unwrap())
    };
    run("").exited(125).says_all(&["no longer https"]);
    let sum = world.sum("sha1sum", SCRIPT);
    let _ = run(&format!("options {{\n checksum = \"sha1:{sum}\"\n }}")).exited(0);
}

#[test]
fn a_proxy_of_the_environment_is_asked() {
    if !root() {
        return;
    }
    let world = World::new();
    let proxy = jobs::proxy(SCRIPT);
    let text = job("exec", "x", &[], &artifact("http://artifact.test/x", ""));
    let mut command = world.prepare("run", &text);
    command.env("http_proxy", format!("http://127.0.0.1:{}", proxy.port));
    let ended = Ended::of(command.output().unwrap()).exited(0);
    assert_eq!(ended.stdout, "fetched by 65534\n");
    assert!(proxy.heads()[0].starts_with("CONNECT artifact.test:80 "));
}

#[test]
fn destinations_are_where_the_task_finds_them() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), server());
    let source = server.url("/x");
    for driver in DRIVERS {
        let place = |destination: &str, more: &str| {
            artifact(&source, &format!("destination = {destination:?}\n {more}"))
        };
        let more = [
            place("local/a/b", ""),
            place("${NOMAD_ALLOC_DIR}/data", ""),
            place("alloc/other", ""),
            place("../alloc/third/y", "mode = \"file\""),
            place("${NOMAD_SECRETS_DIR}/deep", ""),
        ]
        .concat();
        let script = "cd $NOMAD_TASK_DIR && cmp a/b/x $NOMAD_ALLOC_DIR/data/x && cmp a/b/x $NOMAD_ALLOC_DIR/other/x && \
                      cmp a/b/x $NOMAD_ALLOC_DIR/third/y && cmp a/b/x $NOMAD_SECRETS_DIR/deep/x && \
                      echo $(stat -c '%u %a' a/b/x a/b $NOMAD_SECRETS_DIR/deep/x) $(id -u)";
        let ended = world
            .run_text(&job(driver, "/bin/sh", &["-c", script], &more))
            .exited(0);
        let words: Vec<&str> = ended.stdout.split_whitespace().collect();
        let uid = words[6];
        assert_eq!(words, [uid, "644", uid, "755", uid, "644", uid], "{driver}");
        world.assert_clean();
    }
}

#[test]
fn a_file_below_usr_local_bin_is_a_command_of_an_exec_task() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), server());
    let more = artifact(
        &server.url("/fetched-command"),
        "destination = \"usr/local/bin\"",
    );
    let ended = world
        .run_text(&job("exec", "fetched-command", &[], &more))
        .exited(0);
    assert_eq!(ended.stdout, "fetched by 65534\n");
    assert!(!Path::new("/usr/local/bin/fetched-command").exists());
}

#[test]
fn an_archive_brings_no_privilege_and_no_way_out() {
    if !root() {
        return;
    }
    let world = World::new();
    let canary = world.write("canary", b"alive");
    let canary_path = canary.display().to_string();
    let bytes = archive(&[
        tar("su", b'0', "0006755", "", b"#!/bin/sh\n"),
        tar("pipe", b'6', "0000666", "", b""),
        tar("link", b'2', "0000777", &canary_path, b""),
        tar("link/x", b'0', "0000644", "", b"dead"),
        tar("soft", b'2', "0000777", &canary_path, b""),
        tar("soft", b'0', "0000644", "", b"dead"),
        tar("hard", b'1', "0000644", &canary_path, b""),
    ]);
    let server = Server::start(move |_, to| ok(to, &bytes));
    let more = artifact(&server.url("/x.tar"), "");
    let script =
        "cd $NOMAD_TASK_DIR && find . -mindepth 1 | sort | xargs stat -c '%n %F %u %a'; id -u";
    for driver in DRIVERS {
        let ended = world
            .run_text(&job(driver, "/bin/sh", &["-c", script], &more))
            .exited(0);
        let uid = ended.stdout.lines().last().unwrap();
        let expected = format!(
            "./link directory {uid} 755\n./link/x regular file {uid} 644\n./soft regular file {uid} 644\n./su regular file {uid} 755\n{uid}\n"
        );
        assert_eq!(ended.stdout, expected, "{driver}");
        ended
            .says_all(&["4 entries that are neither files nor directories, the first is \"pipe\""]);
    }
    assert_eq!(std::fs::read(&canary).unwrap(), b"alive");
    let found = std::fs::metadata(&canary).unwrap();
    assert_eq!((found.uid(), found.nlink()), (0, 1));
    world.assert_clean();
}

#[test]
fn an_archive_that_leads_outside_is_refused() {
    if !root() {
        return;
    }
    let world = World::new();
    for name in ["../../../../canary", "/tmp/encamp-artifact-canary"] {
        let bytes = archive(&[tar(name, b'0', "0000644", "", b"dead")]);
        let server = Server::start(move |_, to| ok(to, &bytes));
        let more = artifact(&server.url("/x.tar"), "");
        let ended = world.run_text(&job("exec", "x", &[], &more)).exited(125);
        ended.says_all(&["the archive is refused: its entry "]);
        world.assert_clean();
        assert!(!world.dir.join("canary").exists());
    }
    assert!(!Path::new("/tmp/encamp-artifact-canary").exists());
}

#[test]
fn a_link_that_another_task_planted_is_not_followed() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), server());
    let outside = world.dir.join("outside");
    std::fs::create_dir(&outside).unwrap();
    let plant = format!(
        "ln -s {} $NOMAD_ALLOC_DIR/data/way; ln -s {}/x $NOMAD_ALLOC_DIR/data/x",
        outside.display(),
        outside.display()
    );
    let text = |destination: &str| {
        format!(
            "job \"j\" {{\n type = \"batch\"\n group \"g\" {{\n restart {{\n attempts = 0\n }}\n task \"plant\" {{\n driver = \"exec\"\n lifecycle {{\n \
             hook = \"prestart\"\n }}\n config {{\n command = \"/bin/sh\"\n args = [\"-c\", {plant:?}]\n }}\n }}\n task \"t\" {{\n driver = \"exec\"\n \
             config {{\n command = \"/bin/cat\"\n args = [\"/alloc/data/x\"]\n }}\n {}\n }}\n }}\n }}\n",
            artifact(&server.url("/x"), &format!("destination = {destination:?}"))
        )
    };
    let ended = world.run_text(&text("alloc/data/way")).exited(125);
    ended.says_all(&["cannot put \"way\" in place: a link or a file is in the way"]);
    // In the place of a link to a file comes the file.
    let ended = world.run_text(&text("alloc/data")).exited(0);
    assert!(ended.stdout.contains("echo fetched"), "{}", ended.stdout);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    world.assert_clean();
}

#[test]
fn an_archive_has_no_part_in_directories_of_ours() {
    if !root() {
        return;
    }
    for name in ["private/x", ".encamp"] {
        let (world, bytes) = (
            World::new(),
            archive(&[tar(name, b'0', "0000644", "", b"")]),
        );
        let server = Server::start(move |_, to| ok(to, &bytes));
        let source = server.url("/x.tar");
        let more = artifact(&source, "destination = \".\"");
        let ended = world
            .run_text(&job("exec", "/bin/true", &[], &more))
            .exited(125);
        ended.says_all(&["in place: the directory of that name is none of the task's"]);
        // Elsewhere these are names as any others.
        let more = artifact(&source, "");
        world
            .run_text(&job("exec", "/bin/true", &[], &more))
            .exited(0);
        world.assert_clean();
    }
}

#[test]
fn the_disk_is_asked_anew_for_each_artifact() {
    if !root() {
        return;
    }
    let world = World::new();
    let data = world.dir.join("data");
    std::fs::create_dir(&data).unwrap();
    let options = c"size=8m,mode=0755";
    mount("small", &data, "tmpfs", MountFlags::empty(), options).unwrap();
    let body = vec![b'x'; 4_700_000];
    let server = Server::start(move |_, to| ok(to, &body));
    let more = artifact(&server.url("/a"), "") + &artifact(&server.url("/b"), "");
    let ended = world.run_text(&job("exec", "x", &[], &more));
    unmount(&data, UnmountFlags::DETACH).unwrap();
    ended
        .exited(125)
        .says_all(&["fetched", "/b", "bytes that the disk has left for it"]);
    world.assert_clean();
}

#[test]
fn limits_of_the_configuration_hold() {
    if !root() {
        return;
    }
    let world = World::new();
    let bytes = archive(&[
        tar("a", b'0', "0000644", "", &[b'x'; 5000]),
        tar("b", b'0', "0000644", "", b""),
    ]);
    let server = Server::start(move |_, to| ok(to, &bytes));
    let more = artifact(&server.url("/x.tar"), "");
    for (limit, words) in [
        (
            "http_max_size = \"1KB\"",
            "larger than http_max_size, 1000 bytes",
        ),
        (
            "decompression_size_limit = \"4KiB\"",
            "decompression_size_limit, 4096 bytes",
        ),
        (
            "decompression_file_count_limit = 1",
            "more entries than decompression_file_count_limit, 1",
        ),
    ] {
        let config = world.write(
            "c.hcl",
            format!("client {{\n artifact {{\n {limit}\n }}\n }}\n").as_bytes(),
        );
        let mut command = world.prepare("run", &job("exec", "x", &[], &more));
        let ended = Ended::of(command.arg("-c").arg(config).output().unwrap()).exited(125);
        ended.says_all(&[words]);
    }
    world.assert_clean();
}

/// Answers with a head and the first bytes of a body that never comes.
fn stalling() -> Server {
    Server::start(|_, to| {
        let _ = to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhello");
        let _ = to.flush();
        thread::sleep(Duration::from_secs(600));
    })
}

/// A process of this run's fetching, by its role.
fn find(role: &str, port: u16) -> Option<Pid> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Some(pid) = roles(role, port).first() {
            return Some(*pid);
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}

/// The fetcher of a server is told by the connection that it has; its launcher is its parent.
fn roles(role: &str, port: u16) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| {
            let line = std::fs::read(jobs::proc(*pid, "cmdline")).unwrap_or_default();
            let is_role = line.split(|byte| *byte == 0).nth(1) == Some(role.as_bytes());
            is_role && jobs::is_connected(*pid, port)
        })
        .collect()
}

#[test]
fn the_fetcher_is_nobody_and_sees_nothing() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), stalling());
    let mut command = world.prepare(
        "run",
        &job("exec", "x", &[], &artifact(&server.url("/x"), "")),
    );
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let fetcher = find("artifact-fetcher", server.port).expect("a fetcher");
    let status = std::fs::read_to_string(jobs::proc(fetcher, "status")).unwrap();
    for line in [
        "Uid:\t65534\t65534\t65534\t65534",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "{line} is not in\n{status}");
    }
    let own = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    let its = |kind: &str| std::fs::read_link(jobs::proc(fetcher, &format!("ns/{kind}"))).unwrap();
    for kind in ["mnt", "pid", "ipc"] {
        assert_ne!(own(kind), its(kind), "{kind}");
    }
    let environ = std::fs::read_to_string(jobs::proc(fetcher, "environ")).unwrap();
    assert!(
        !environ.contains("PATH=") && !environ.contains("HOME="),
        "{environ}"
    );
    let seen = std::fs::read_dir(jobs::proc(fetcher, "root")).unwrap();
    for entry in seen {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = [
            "encamp", "etc", "gnu", "lib", "lib64", "nix", "order", "staging", "usr", "var",
        ];
        assert!(known.contains(&name.as_str()), "/{name}");
    }
    let etc = jobs::proc(fetcher, "root/etc");
    assert!(!Path::new(&etc).join("passwd").exists());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let began = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(roles("artifact-fetcher", server.port).is_empty());
    world.assert_clean();
}

#[test]
fn a_killed_run_takes_its_download_along() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), stalling());
    let mut command = world.prepare(
        "run",
        &job("exec", "x", &[], &artifact(&server.url("/x"), "")),
    );
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let fetcher = find("artifact-fetcher", server.port).expect("a fetcher");
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while Path::new(&jobs::proc(fetcher, "root/order")).exists() {
        assert!(Instant::now() < deadline, "the fetcher is still there");
        thread::sleep(Duration::from_millis(20));
    }
    let _ = world.run_text(&job("exec", "/bin/true", &[], "")).exited(0);
    world.assert_clean();
}

#[test]
fn a_killed_launcher_leaves_no_fetcher() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), stalling());
    let mut command = world.prepare(
        "run",
        &job("exec", "x", &[], &artifact(&server.url("/x"), "")),
    );
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let fetcher = find("artifact-fetcher", server.port).expect("a fetcher");
    let status = std::fs::read_to_string(jobs::proc(fetcher, "status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let launcher = Pid::from_raw(parent.unwrap().trim().parse().unwrap()).unwrap();
    assert_ne!(launcher, Pid::from_child(&child));
    kill_process(launcher, Signal::KILL).unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap()).exited(125);
    ended.says_all(&["the process that launches the fetcher was lost: signal: 9"]);
    assert!(roles("artifact-fetcher", server.port).is_empty());
    world.assert_clean();
}

#[test]
fn no_credentials_are_printed() {
    if !root() {
        return;
    }
    let (world, server) = (World::new(), server());
    for path in ["/x?token=hidden", "/404?token=hidden"] {
        let source = server.url(path).replace("http://", "http://me:hidden@");
        let more = artifact(&source, "headers {\n X-Token = \"hidden\"\n }");
        let ended = world.run_text(&job("exec", "x", &[], &more));
        assert!(!ended.stderr.contains("hidden"), "{}", ended.stderr);
        assert!(server.heads().iter().all(|head| head.contains("hidden")));
    }
}

#[test]
fn fifty_tasks_get_fifty_artifacts() {
    if !root() {
        return;
    }
    let world = World::new();
    let server = Server::start(|path, to| ok(to, path.repeat(10_000).as_bytes()));
    let mut tasks = String::new();
    for number in 0..50 {
        let path = format!("/file-{number}");
        let sum = world.sum("sha256sum", path.repeat(10_000).as_bytes());
        let script = format!(
            "cd local && echo '{sum}  file-{number}' | sha256sum -c --status && ls | wc -l"
        );
        tasks += &format!(
            "task \"t{number}\" {{\n driver = \"exec\"\n config {{\n command = \"/bin/sh\"\n args = [\"-c\", {script:?}]\n }}\n {}\n resources {{\n cpu = 10\n \
             memory = 20\n }}\n }}\n",
            artifact(&server.url(&path), "")
        );
    }
    let text = format!(
        "job \"j\" {{\n type = \"batch\"\n group \"g\" {{\n restart {{\n attempts = 0\n }}\n {tasks} }}\n }}\n"
    );
    let ended = world.run_text(&text).exited(0);
    let good = ended.stdout.lines().filter(|line| line.ends_with("| 1"));
    assert_eq!(good.count(), 50, "{}\n{}", ended.stdout, ended.stderr);
    world.assert_clean();
}
