#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use jobspec::{Change, ChangeScript, Scope, Spanned, Template, TemplateText, Wait};

use super::blocks::{Blocks, Failure, Scene};
use super::files::Roots;
use super::watch::{Action, Watch, Watched, decide, watch};
use crate::dirs::Dir;
use crate::environment::Directories;
use crate::place::Views;
use crate::testing::{Scratch, root};

fn spanned(value: &str) -> Spanned<String> {
    Spanned {
        value: value.to_owned(),
        span: 0..0,
    }
}

fn template(data: &str, destination: &str) -> Template {
    Template {
        span: 0..0,
        from: TemplateText::Data {
            text: spanned(data),
            lines: Vec::new(),
        },
        destination: spanned(destination),
        change: Change::Restart,
        splay: Duration::ZERO,
        once: false,
        perms: 0o644,
        uid: None,
        gid: None,
        left_delimiter: "{{".to_owned(),
        right_delimiter: "}}".to_owned(),
        env: false,
        error_on_missing_key: false,
        wait: Some(Wait {
            min: Duration::from_millis(50),
            max: Duration::from_secs(5),
        }),
    }
}

/// T and A/alloc in a directory of their own, as a task has them.
fn world() -> Scratch {
    let scratch = Scratch::new();
    for dir in ["t/local", "t/secrets", "alloc/logs", "outside"] {
        std::fs::create_dir_all(scratch.path().join(dir)).unwrap();
    }
    std::fs::write(scratch.path().join("outside/secret"), "secret").unwrap();
    scratch
}

fn blocks(world: &Path, templates: &[Template]) -> Result<Blocks, Failure> {
    let scene = Scene {
        env: BTreeMap::from([
            ("NAME".to_owned(), "web".to_owned()),
            ("UP".to_owned(), "../../outside".to_owned()),
        ]),
        node: Arc::new(Scope {
            attr: BTreeMap::from([("kernel.name".to_owned(), "linux".to_owned())]),
            ..Scope::default()
        }),
        roots: Roots {
            task: Dir::open(&world.join("t")).unwrap(),
            shared: Dir::open(&world.join("alloc")).unwrap(),
        },
        views: Views {
            task: "t".to_owned(),
            directories: Directories::at("/alloc", "/local", "/secrets"),
        },
    };
    Blocks::new(templates, scene)
}

fn rendered(world: &Path, templates: &[Template]) -> Result<Blocks, String> {
    let mut blocks = blocks(world, templates).map_err(|failure| failure.to_string())?;
    blocks.render().map_err(|failure| failure.to_string())?;
    Ok(blocks)
}

fn text(world: &Path, path: &str) -> String {
    std::fs::read_to_string(world.join(path)).unwrap()
}

#[test]
fn a_template_becomes_a_file() {
    if !root() {
        return;
    }
    let world = world();
    let mut script = template("#!/bin/sh\necho {{ env \"NAME\" }}", "usr/local/bin/x");
    script.perms = 0o755;
    let mut owned = template("{{ env \"attr.kernel.name\" }}", "${NOMAD_SECRETS_DIR}/k");
    (owned.uid, owned.gid, owned.perms) = (Some(1000), Some(1001), 0o400);
    let shared = template("s", "${NOMAD_ALLOC_DIR}/data/${NAME}");
    rendered(world.path(), &[script, owned, shared]).unwrap();
    assert_eq!(
        text(world.path(), "t/usr/local/bin/x"),
        "#!/bin/sh\necho web"
    );
    assert_eq!(text(world.path(), "alloc/data/web"), "s");
    let look = |path: &str| {
        let meta = world.path().join(path).metadata().unwrap();
        (meta.mode() & 0o7777, meta.uid(), meta.gid())
    };
    assert_eq!(look("t/usr/local/bin/x"), (0o755, 0, 0));
    assert_eq!(look("t/usr/local"), (0o755, 0, 0));
    assert_eq!(look("t/secrets/k"), (0o400, 1000, 1001));
}

#[test]
fn nothing_is_written_outside() {
    if !root() {
        return;
    }
    let world = world();
    let at = world.path();
    symlink(at.join("outside"), at.join("t/local/link")).unwrap();
    symlink("../outside", at.join("alloc/logs-link")).unwrap();
    std::fs::remove_dir(at.join("alloc/logs")).unwrap();
    symlink(at.join("outside"), at.join("alloc/logs")).unwrap();
    for destination in [
        "local/link/x",
        "alloc/logs/x",
        "alloc/logs-link/x",
        "../../outside/x",
        "${UP}/x",
        "local/../../outside/x",
        "local",
    ] {
        let failure = rendered(at, &[template("x", destination)]).unwrap_err();
        assert!(failure.contains(destination), "{failure}");
    }
    let names: Vec<_> = std::fs::read_dir(at.join("outside")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(!at.join("t/local/x").exists());
}

#[test]
fn a_link_in_the_place_of_the_file_is_replaced_itself() {
    if !root() {
        return;
    }
    let world = world();
    let at = world.path();
    symlink(at.join("outside/secret"), at.join("t/local/x")).unwrap();
    rendered(at, &[template("mine", "local/x")]).unwrap();
    assert_eq!(text(at, "outside/secret"), "secret");
    assert_eq!(text(at, "t/local/x"), "mine");
    std::fs::create_dir(at.join("t/bin")).unwrap();
    symlink(at.join("outside/secret"), at.join("t/bin/x")).unwrap();
    std::fs::hard_link(at.join("outside/secret"), at.join("t/bin/y")).unwrap();
    rendered(at, &[template("mine", "bin/x"), template("mine", "bin/y")]).unwrap();
    assert_eq!(text(at, "outside/secret"), "secret");
    assert_eq!(text(at, "t/bin/y"), "mine");
}

#[test]
fn files_are_read_from_inside_only() {
    if !root() {
        return;
    }
    let world = world();
    let at = world.path();
    std::fs::write(at.join("t/local/in"), "inside").unwrap();
    symlink("in", at.join("t/local/near")).unwrap();
    symlink("../../outside/secret", at.join("t/local/far")).unwrap();
    symlink(at.join("outside/secret"), at.join("t/local/abs")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        at.join("t/local/fifo"),
        rustix::fs::Mode::RWXU,
    )
    .unwrap();
    for (path, expected) in [
        ("local/in", "inside"),
        ("/local/near", "inside"),
        ("local/../local/in", "inside"),
    ] {
        let text_of = format!("{{{{ file \"{path}\" }}}}");
        rendered(at, &[template(&text_of, "local/out")]).unwrap();
        assert_eq!(text(at, "t/local/out"), expected, "{path}");
    }
    for path in [
        "/etc/shadow",
        "../../outside/secret",
        "local/far",
        "local/abs",
        "local/fifo",
        "local",
        "/proc/self/environ",
        "private/x",
    ] {
        let text_of = format!("a\n{{{{ file \"{path}\" }}}}");
        let failure = rendered(at, &[template(&text_of, "local/no")]).unwrap_err();
        assert!(
            failure.starts_with("template local/no:2: error calling file: "),
            "{failure}"
        );
        assert!(!at.join("t/local/no").exists(), "{path}");
    }
}

#[test]
fn a_source_is_a_file_of_the_task() {
    if !root() {
        return;
    }
    let world = world();
    let at = world.path();
    std::fs::write(at.join("t/local/a.tpl"), "<% env \"NAME\" %> {{ }}").unwrap();
    let mut source = template("", "local/a");
    source.from = TemplateText::Source(spanned("local/a.tpl"));
    source.left_delimiter = "<%".to_owned();
    source.right_delimiter = "%>".to_owned();
    rendered(at, &[source.clone()]).unwrap();
    assert_eq!(text(at, "t/local/a"), "web {{ }}");
    source.from = TemplateText::Source(spanned("/etc/../../x"));
    assert_eq!(
        rendered(at, &[source.clone()]).unwrap_err(),
        "template local/a: template source path escapes alloc directory"
    );
    source.from = TemplateText::Source(spanned("local/nosuch"));
    assert!(
        rendered(at, &[source])
            .unwrap_err()
            .starts_with("template local/a: cannot read the source local/nosuch")
    );
}

#[test]
fn lines_become_variables() {
    if !root() {
        return;
    }
    let world = world();
    let mut env = template("A=1\nB=\"{{ env \"NAME\" }} # x\" # y\n", "secrets/e");
    env.env = true;
    let blocks = rendered(world.path(), &[env.clone()]).unwrap();
    let pairs: Vec<_> = blocks.env().collect();
    assert_eq!(
        pairs,
        [
            (&"A".to_owned(), &"1".to_owned()),
            (&"B".to_owned(), &"web # x".to_owned())
        ]
    );
    env.from = TemplateText::Data {
        text: spanned("A=1\nB"),
        lines: Vec::new(),
    };
    assert_eq!(
        rendered(world.path(), &[env]).unwrap_err(),
        "template secrets/e: error on line 2: missing ="
    );
}

#[test]
fn what_is_too_large_is_refused() {
    if !root() {
        return;
    }
    let world = world();
    for text in [
        "{{ range loop 1000000 }}{{ range loop 1000000 }}x{{ end }}{{ end }}",
        "{{ range loop 1000000 }}0123456789012345678901234567890123456789{{ end }}",
        "{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range loop 40 }}{{ $x = print $x $x }}{{ end }}{{ $x }}",
        "{{ indent 999999999 \"a\" }}",
        "{{ printf \"%999999999d\" 1 }}{{ replaceAll \"\" (indent 9000000 \"a\") (indent 9000000 \"b\") }}",
        "{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}",
        "{{ range 9999999999 }}{{ end }}",
    ] {
        let failure = rendered(world.path(), &[template(text, "local/x")]).unwrap_err();
        assert!(failure.starts_with("template local/x:1: "), "{failure}");
    }
    let deep = "{{ (".repeat(50_000);
    assert!(rendered(world.path(), &[template(&deep, "local/x")]).is_err());
    let deep = "{{ if 1 }}".repeat(50_000);
    assert!(rendered(world.path(), &[template(&deep, "local/x")]).is_err());
    let json = format!("{{{{ parseJSON `{}` }}}}", "[".repeat(100_000));
    assert!(rendered(world.path(), &[template(&json, "local/x")]).is_err());
    let yaml = format!("{{{{ parseYAML `{}` }}}}", "[".repeat(100_000));
    assert!(rendered(world.path(), &[template(&yaml, "local/x")]).is_err());
}

fn watched(world: &Path, templates: &[Template]) -> (Watch, Receiver<Action>) {
    let watched = Watched::new(rendered(world, templates).unwrap());
    let (to, actions) = channel();
    let watch = watch(&watched, move |action| drop(to.send(action))).unwrap();
    (watch, actions)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_file_that_changes_is_rendered_again_and_leads_to_one_action() {
    if !root() {
        return;
    }
    let world = world();
    let at = world.path();
    std::fs::write(at.join("t/local/in"), "one").unwrap();
    let mut quiet = template("{{ file \"local/in\" }}!", "local/quiet");
    quiet.change = Change::Noop;
    let mut once = template("{{ file \"local/in\" }}", "local/once");
    once.once = true;
    let first = template("{{ file \"local/in\" }}", "bin/out");
    let second = template("{{ file \"local/in\" }}?", "local/second");
    let (watch, actions) = watched(at, &[first, second, quiet, once]);
    let before = at.join("t/bin/out").metadata().unwrap().ino();
    // Replaced as a whole, and missing for a moment.
    std::fs::remove_file(at.join("t/local/in")).unwrap();
    std::fs::write(at.join("t/local/new"), "two").unwrap();
    std::fs::rename(at.join("t/local/new"), at.join("t/local/in")).unwrap();
    assert_eq!(actions.recv_timeout(LONG), Ok(Action::Restart));
    assert_eq!(text(at, "t/bin/out"), "two");
    assert_eq!(text(at, "t/local/second"), "two?");
    assert_eq!(text(at, "t/local/quiet"), "two!");
    assert_eq!(text(at, "t/local/once"), "one");
    // A task that has this file mounted sees the new text only in the old file.
    assert_eq!(at.join("t/bin/out").metadata().unwrap().ino(), before);
    drop(watch);
    assert_eq!(
        actions.try_recv(),
        Err(TryRecvError::Disconnected),
        "the thread has ended, and with it its channel"
    );
}

#[test]
fn a_disk_that_is_full_leaves_the_file_as_it_is() {
    if !root() {
        return;
    }
    let world = world();
    let at = world.path();
    std::fs::create_dir(at.join("t/bin")).unwrap();
    // Unmounted with the world.
    let small = c"size=64k";
    rustix::mount::mount(
        "small",
        at.join("t/bin"),
        "tmpfs",
        rustix::mount::MountFlags::empty(),
        small,
    )
    .unwrap();
    let old = "x".repeat(40_000);
    rendered(at, &[template(&old, "bin/x")]).unwrap();
    let before = at.join("t/bin/x").metadata().unwrap().ino();
    let failure = rendered(at, &[template(&"y".repeat(100_000), "bin/x")]).unwrap_err();
    assert!(failure.contains("bin/x"), "{failure}");
    assert_eq!(text(at, "t/bin/x"), old);
    rendered(at, &[template("shorter", "bin/x")]).unwrap();
    assert_eq!(text(at, "t/bin/x"), "shorter");
    assert_eq!(at.join("t/bin/x").metadata().unwrap().ino(), before);
}

#[test]
fn a_template_that_fails_later_fails_the_task() {
    if !root() {
        return;
    }
    let world = world();
    let at = world.path();
    std::fs::write(at.join("t/local/in"), "{}").unwrap();
    let json = template("{{ file \"local/in\" | parseJSON }}", "local/out");
    let (_watched, actions) = watched(at, &[json]);
    std::fs::write(at.join("t/local/in"), "{").unwrap();
    match actions.recv_timeout(LONG) {
        Ok(Action::Fail(why)) => assert!(
            why.starts_with("Template failed: template local/out:1: "),
            "{why}"
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_restart_makes_signals_and_scripts_needless() {
    let mut signal = template("", "a");
    signal.change = Change::Signal(spanned("SIGHUP"));
    signal.splay = Duration::from_secs(3);
    let script = ChangeScript {
        command: spanned("/bin/true"),
        args: Vec::new(),
        timeout: Duration::from_secs(5),
        fail_on_error: false,
        run_on_first_render: false,
    };
    let mut runs = template("", "b");
    runs.change = Change::Script(script.clone());
    let (actions, splay) = decide(&[signal.clone(), runs.clone(), signal.clone()]);
    assert_eq!(
        actions,
        [Action::Signal("SIGHUP".to_owned()), Action::Script(script)]
    );
    assert_eq!(splay, Duration::from_secs(3));
    let (actions, _) = decide(&[signal, runs, template("", "c")]);
    assert_eq!(actions, [Action::Restart]);
    let mut noop = template("", "d");
    noop.change = Change::Noop;
    assert_eq!(decide(&[noop]).0, []);
}
