//! Templates as their users have them: rendered before a real task starts, seen from inside, and again when files change.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "tests; the modules serve other tests too"
)]

#[path = "jobs/job.rs"]
mod job;
mod world;

use job::{job, task};
use world::{World, world};

const DRIVERS: [&str; 2] = ["exec", "exec2"];

/// A template with these arguments.
fn template(destination: &str, data: &str, more: &str) -> String {
    let data = data.trim_end_matches('\n');
    format!(
        "template {{\n destination = {destination:?}\n data = <<EOT\n{data}\nEOT\n {more}\n }}\n"
    )
}

/// Renders and acts as soon as it may.
const AT_ONCE: &str = "splay = \"0s\"\n wait {\n min = \"100ms\"\n max = \"2s\"\n }\n";

/// A template that reads what the task changes, and the first state of that.
fn changing(destination: &str, more: &str) -> String {
    let first = template("local/in", "one\n", "once = true");
    let read = "{{ file (print (env \"NOMAD_TASK_DIR\") \"/in\") | trimSpace }}";
    first + &template(destination, read, &format!("{AT_ONCE}{more}"))
}

/// What a task does to change it: the file is root's, its directory is not.
const CHANGE: &str =
    "echo two >$NOMAD_TASK_DIR/new && mv -f $NOMAD_TASK_DIR/new $NOMAD_TASK_DIR/in";
/// Ends a wait that would be too long.
const WAIT: &str = "for i in $(seq 600); do sleep 0.1";

#[test]
fn a_task_finds_its_templates() {
    let Some(world) = world() else { return };
    for driver in DRIVERS {
        let templates = [
            template(
                "${NOMAD_TASK_DIR}/conf/app.conf",
                "{{ env \"NOMAD_TASK_NAME\" }} on {{ env \"attr.kernel.name\" }} {{ env \"HOME\" }}|\n",
                "perms = \"0640\"\n gid = 65534",
            ),
            template(
                "secrets/env",
                "A=\"1 # 2\" # 3\nB={{ toJSON \"x y\" }}\n",
                "env = true",
            ),
            template("${NOMAD_ALLOC_DIR}/data/shared", "shared\n", ""),
            template("alloc/data/too", "too\n", ""),
            template(
                "local/run",
                "#!/bin/sh\necho ran $$HOME\n",
                "perms = \"0755\"",
            ),
        ];
        let script = "cat $NOMAD_ALLOC_DIR/data/shared $NOMAD_ALLOC_DIR/data/too; echo \"$A $B\"; \
                      stat -c '%a %u %g' $NOMAD_TASK_DIR/conf/app.conf $NOMAD_TASK_DIR/run; \
                      cat $NOMAD_TASK_DIR/conf/app.conf 2>/dev/null; $NOMAD_TASK_DIR/run >/dev/null && echo ran";
        let text = job("", &[task("t", driver, script, &templates.concat())]);
        let ended = world.run_job(&text, &[]).exited(0);
        let mut expected = "shared\ntoo\n1 # 2 x y\n640 0 65534\n755 0 0\n".to_owned();
        if driver == "exec" {
            // Of group nobody, as the task is; the environment of whoever runs encamp is nobody's business.
            expected += "t on linux |\n";
        }
        assert_eq!(ended.stdout, expected + "ran\n", "{driver}");
    }
}

/// As in Nomad, whose error says nothing but "permission denied".
#[test]
fn a_command_below_secrets_is_refused_with_the_way_out() {
    let Some(world) = world() else { return };
    for driver in DRIVERS {
        let script = template("secrets/run", "#!/bin/sh\n", "perms = \"0755\"");
        let text = job("", &[task("t", driver, "true", &script)]);
        let text = text.replace("\"/bin/sh\"", "\"${NOMAD_SECRETS_DIR}/run\"");
        let ended = world.run_job(&text, &["--rm"]).exited(126);
        let told = "secrets is ever executed (noexec); put it into local/";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
}

#[test]
fn a_file_in_a_directory_of_the_hosts_is_rendered_again_for_a_running_task() {
    let Some(world) = world() else { return };
    let script = format!(
        "cat /usr/local/bin/x; {CHANGE}; {WAIT}; grep two /usr/local/bin/x && exit 7; done"
    );
    let templates = changing("usr/local/bin/x", "change_mode = \"noop\"");
    let text = job("", &[task("t", "exec", &script, &templates)]);
    let ended = world.run_job(&text, &["--rm"]).exited(7);
    assert_eq!(ended.stdout, "one\ntwo\n");
}

#[test]
fn a_change_sends_a_signal() {
    let Some(world) = world() else { return };
    for driver in DRIVERS {
        let script = format!("trap 'cat $NOMAD_TASK_DIR/out; exit 7' USR1; {CHANGE}; {WAIT}; done");
        let templates = changing(
            "local/out",
            "change_mode = \"signal\"\n change_signal = \"SIGUSR1\"",
        );
        let text = job("", &[task("t", driver, &script, &templates)]);
        let ended = world.run_job(&text, &["--rm"]).exited(7);
        assert_eq!(ended.stdout, "two\n", "{driver}");
        assert!(
            ended.stderr.contains("Template re-rendered"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_change_restarts_a_task_whatever_its_policy_says() {
    let Some(world) = world() else { return };
    for driver in DRIVERS {
        let script =
            format!("echo $FROM $ONLY_ONE; [ $FROM = two ] && exit 7; {CHANGE}; {WAIT}; done");
        let read = "{{ $in := file (print (env \"NOMAD_TASK_DIR\") \"/in\") | trimSpace }}FROM={{ $in }}\n\
                    {{ if eq $in \"one\" }}ONLY_ONE=1{{ end }}";
        let templates = template("local/in", "one\n", "once = true")
            + &template("secrets/env", read, &format!("{AT_ONCE} env = true"));
        let text = job("", &[task("t", driver, &script, &templates)]);
        let ended = world.run_job(&text, &["--rm"]).exited(7);
        assert_eq!(ended.stdout, "one 1\ntwo\n", "{driver}");
        let why = "Template with change_mode restart re-rendered";
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
}

#[test]
fn a_restart_renders_again_where_the_policy_says_so() {
    let Some(world) = world() else { return };
    for (renders, code) in [("true", 7), ("false", 8)] {
        let script = "cd $NOMAD_TASK_DIR; [ -e ran ] && grep -q one x && exit 7; \
                      [ -e ran ] && exit 8; touch ran; echo mine >new; mv -f new x; exit 1";
        let restart = format!(
            "restart {{\n attempts = 1\n delay = \"0s\"\n interval = \"10m\"\n mode = \"fail\"\n render_templates = {renders}\n }}\n"
        );
        let with = task("t", "exec2", script, &template("local/x", "one\n", ""));
        let with = with.replace(
            "restart {\n        attempts = 0\n        mode = \"fail\"\n      }\n",
            &restart,
        );
        world.run_job(&job("", &[with]), &["--rm"]).exited(code);
    }
}

#[test]
fn a_change_runs_a_script_in_the_task() {
    let Some(world) = world() else { return };
    for driver in DRIVERS {
        let script =
            format!("{CHANGE}; {WAIT}; cat $NOMAD_ALLOC_DIR/data/ran 2>/dev/null && exit 7; done");
        let run = "change_mode = \"script\"\n change_script {\n command = \"/bin/sh\"\n \
                   args = [\"-c\", \"cat $NOMAD_TASK_DIR/out >$NOMAD_ALLOC_DIR/data/new && mv $NOMAD_ALLOC_DIR/data/new $NOMAD_ALLOC_DIR/data/ran\"]\n }\n";
        let text = job(
            "",
            &[task("t", driver, &script, &changing("local/out", run))],
        );
        let ended = world.run_job(&text, &["--rm"]).exited(7);
        assert_eq!(ended.stdout, "two\n", "{driver}");
    }
}

#[test]
fn a_script_that_fails_can_end_the_task() {
    let Some(world) = world() else { return };
    let script = format!("{CHANGE}; {WAIT}; done");
    let run = "change_mode = \"script\"\n change_script {\n command = \"/bin/false\"\n fail_on_error = true\n }\n";
    let text = job(
        "",
        &[task("t", "exec2", &script, &changing("local/out", run))],
    );
    let ended = world.run_job(&text, &["--rm"]);
    assert_ne!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("/bin/false exited 1"),
        "{}",
        ended.stderr
    );
}

/// A link that the task itself puts in the way is not followed, and its template fails.
#[test]
fn a_link_that_a_task_makes_leads_nowhere() {
    let Some(world) = world() else { return };
    let outside = world.dir.join("outside");
    std::fs::create_dir(&outside).unwrap();
    let link = format!(
        "mv $NOMAD_TASK_DIR/conf $NOMAD_TASK_DIR/old && ln -s {} $NOMAD_TASK_DIR/conf",
        outside.display()
    );
    for driver in DRIVERS {
        let script = format!("{link}; {CHANGE}; {WAIT}; done");
        let templates = changing("local/conf/out", "change_mode = \"noop\"");
        let text = job("", &[task("t", driver, &script, &templates)]);
        let ended = world.run_job(&text, &["--rm"]);
        assert_ne!(ended.code, Some(0), "{}", ended.stderr);
        let told = "Template failed: template local/conf/out: cannot ";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{driver}");
    }
}

#[test]
fn what_only_rendering_finds_is_found_before_the_task_starts() {
    let Some(world) = world() else { return };
    for driver in DRIVERS {
        for (data, told) in [
            (
                "a\n{{ mustEnv \"NOPE\" }}\n",
                "template local/x:2: error calling mustEnv: required environment variable NOPE is empty",
            ),
            (
                "{{ file \"/etc/shadow\" }}\n",
                "template local/x:1: error calling file: ",
            ),
            (
                "{{ file \"../../../../../etc/shadow\" }}\n",
                "is outside of sandbox",
            ),
            (
                "{{ range loop 1000000 }}{{ indent 100000 \"x\" }}{{ end }}\n",
                "template local/x:1: the result is larger than 16 MiB",
            ),
        ] {
            let text = job(
                "",
                &[task(
                    "t",
                    driver,
                    "echo started",
                    &template("local/x", data, ""),
                )],
            );
            let ended = world.run_job(&text, &["--rm"]).exited(125);
            assert_eq!(ended.stdout, "", "{driver}");
            assert!(ended.stderr.contains(told), "{told} in {}", ended.stderr);
        }
    }
}

#[test]
fn what_can_be_seen_is_refused_before_anything_is_made() {
    let Some(world) = world() else { return };
    for (destination, data, told) in [
        (
            "local/x",
            "a\n{{ if false }}{{ key \"svc/level\" }}{{ end }}\n",
            "template local/x:2: key needs Consul",
        ),
        (
            "local/x",
            "{{ with secret \"kv/x\" }}{{ end }}\n",
            "secret needs Vault",
        ),
        (
            "local/x",
            "{{ nomadVar \"x\" }}\n",
            "nomadVar needs a Nomad server",
        ),
        (
            "local/x",
            "{{ plugin \"/bin/sh\" }}\n",
            "plugin function is disabled",
        ),
        (
            "local/x",
            "{{ writeToFile \"/etc/x\" \"\" \"\" \"0644\" \"x\" }}\n",
            "writeToFile function is disabled",
        ),
        (
            "local/x",
            "{{ executeTemplate \"x\" }}\n",
            "executeTemplate function is disabled",
        ),
        (
            "local/x",
            "{{ sprig_env \"HOME\" }}\n",
            "sprig_env the functions of sprig are not supported",
        ),
        ("local/x", "{{ if true }}\n", "unclosed {{if}}"),
        (
            "../../../etc/x",
            "x\n",
            "The destination escapes the allocation's directory",
        ),
        (
            "${NOMAD_META_UP}/etc/x",
            "x\n",
            "template destination path escapes alloc directory",
        ),
        ("${NOMAD_ALLOC_DIR}/../../x", "x\n", "escapes"),
        (
            "../other/local/x",
            "x\n",
            "template destination path escapes alloc directory",
        ),
        (
            ".encamp/x",
            "x\n",
            "template destination path escapes alloc directory",
        ),
    ] {
        let more = template(destination, data, "") + "meta {\n up = \"../..\"\n }\n";
        let text = job("", &[task("t", "exec", "echo started", &more)]);
        let ended = world.run_job(&text, &[]).exited(1);
        assert!(ended.stderr.contains(told), "{told} in {}", ended.stderr);
        let made = std::fs::read_dir(world.dir.join("data/alloc"));
        assert_eq!(made.map_or(0, Iterator::count), 0, "{destination}");
    }
}

fn large(world: &World, lines: usize) -> String {
    let data = format!(
        "{{{{ range loop {lines} }}}}{}\n{{{{ end }}}}",
        "x".repeat(99)
    );
    let text = job(
        "",
        &[task(
            "t",
            "exec2",
            "wc -c <$NOMAD_TASK_DIR/x",
            &template("local/x", &data, ""),
        )],
    );
    world.run_job(&text, &[]).exited(0).stdout
}

#[test]
fn a_large_file_is_rendered() {
    let Some(world) = world() else { return };
    assert_eq!(large(&world, 150_000).trim(), "15000001");
}
