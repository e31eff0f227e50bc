#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeMap;

use jobspec::Spanned;

use super::*;
use crate::environment::Directories;
use crate::place::Root;

fn spanned(text: &str) -> Spanned<String> {
    Spanned {
        value: text.to_owned(),
        span: 0..1,
    }
}

fn artifact(source: &str) -> Artifact {
    Artifact {
        span: 0..1,
        source: spanned(source),
        destination: spanned("local/"),
        mode: ArtifactMode::Any,
        options: BTreeMap::new(),
        headers: BTreeMap::new(),
        insecure: false,
        chown: false,
    }
}

fn views() -> Views {
    Views {
        task: "web".to_owned(),
        directories: Directories::at("/alloc", "/local", "/secrets"),
    }
}

fn known(name: &str) -> Option<&'static str> {
    match name {
        "FILE" => Some("x.bin"),
        "TOKEN" => Some("s3cr3t"),
        "NOMAD_TASK_DIR" => Some("/local"),
        "NOMAD_ALLOC_DIR" => Some("/alloc"),
        "UP" => Some("../../../etc"),
        _ => None,
    }
}

fn resolved(artifact: &Artifact) -> Result<Resolved, Failure> {
    resolve(artifact, &views(), Limits::default(), known)
}

fn refused(source: &str) -> String {
    resolved(&artifact(source)).unwrap_err().to_string()
}

fn order(source: &str) -> Order {
    resolved(&artifact(source)).unwrap().order
}

fn directory(name: &str, part: Option<&str>) -> Outcome {
    Outcome::Directory {
        name: name.to_owned(),
        part: part.map(str::to_owned),
    }
}

#[test]
fn a_file_keeps_its_name_in_its_destination() {
    let order = order("http://h/dir/${FILE}?a=b");
    assert_eq!(order.url, "http://h/dir/x.bin?a=b");
    assert_eq!(
        (order.archive, order.result),
        (None, directory("x.bin", None))
    );
}

#[test]
fn parameters_for_us_are_not_sent() {
    let order = order(
        "http://h/x?archive=zip&checksum=md5:d41d8cd98f00b204e9800998ecf8427e&filename=y&q=1",
    );
    assert_eq!(order.url, "http://h/x?q=1");
    assert_eq!(order.result, directory("y", None));
    assert_eq!(order.archive.unwrap().holds, crate::artifacts::Holds::Zip);
    assert!(matches!(order.sum, Some(Wanted::Sum(_))));
}

#[test]
fn options_are_parameters_and_headers_are_filled_in() {
    let mut artifact = artifact("http://h/x?a=1");
    artifact.options = [("a".to_owned(), "${TOKEN}".to_owned())].into();
    artifact.headers = [("X".to_owned(), "Bearer ${TOKEN} ${UNKNOWN}".to_owned())].into();
    let order = resolved(&artifact).unwrap().order;
    assert_eq!(order.url, "http://h/x?a=s3cr3t");
    assert_eq!(order.headers[0].1, "Bearer s3cr3t ${UNKNOWN}");
}

#[test]
fn archives_are_known_by_their_names() {
    for (name, archive) in ARCHIVES {
        let order = order(&format!("http://h/a.b/x.{name}?z"));
        assert_eq!(order.archive, Some(archive), "{name}");
        assert_eq!(order.result, directory("x", None), "{name}");
    }
    assert_eq!(order("http://h/tar").archive, None);
    assert_eq!(order("http://h/x.tgz?archive=false").archive, None);
    assert_eq!(
        order("http://h/x.tgz?archive=false").result,
        directory("x.tgz", None)
    );
    assert!(refused("http://h/x?archive=rar").contains("there is no kind of archive \"rar\""));
}

#[test]
fn a_part_of_an_archive_is_what_follows_two_slashes() {
    let order = order("http://h/x.tgz//app-*/bin?a=b");
    assert_eq!(order.url, "http://h/x.tgz?a=b");
    assert_eq!(order.result, directory("x", Some("app-*/bin")));
    assert!(refused("http://h/x.tgz//../y").contains("must be inside the archive"));
    assert!(refused("http://h/x//y").contains("needs an archive"));
    for whole in ["//", "//.", "//./"] {
        let order = self::order(&format!("http://h/x.tgz{whole}"));
        assert_eq!(order.result, directory("x", None), "{whole}");
    }
}

#[test]
fn a_list_of_sums_is_asked_for_by_all_names_of_the_file() {
    let Some(Wanted::In { url, names }) =
        order("http://h/a/b/x.tgz?checksum=file:http://h/a/SHA256SUMS").sum
    else {
        panic!("no list");
    };
    assert_eq!(url, "http://h/a/SHA256SUMS");
    for name in [
        "x.tgz",
        "*x.tgz",
        "?x.tgz",
        "b/x.tgz",
        "./b/x.tgz",
        "/a/b/x.tgz",
    ] {
        assert!(names.contains(&name.to_owned()), "{name}");
    }
    assert!(refused("http://h/x?checksum=file:/etc/shadow").contains("the checksum file: "));
}

#[test]
fn what_cannot_be_fetched_is_refused_before_anything_is() {
    assert!(refused("git::https://h/x").contains("download not supported for scheme 'git'"));
    assert!(refused("http://h/").contains("filename"));
    assert!(refused("http://h/x?filename=../y").contains("is no file name"));
    assert!(refused("http://h/x?filename=..").contains("filename"));
    assert!(refused("http://h/%2e%2e").contains("filename"));
    assert!(refused("http://h/a%2f..%2f..").contains("filename"));
    assert!(refused("http://h/x?checksum=zz").contains("invalid checksum"));
    assert!(refused("http://h/x?checksum=00").contains("unknown type for checksum"));
}

#[test]
fn no_credentials_are_shown() {
    for source in [
        "https://me:hidden@h/x?checksum=zz&token=hidden",
        "git::https://me:hidden@h/x?token=hidden",
        "ftp://me:hidden@h/x",
        "https://me:hidden@h/x.tgz?archive=rar",
    ] {
        let text = refused(source);
        assert!(!text.contains("hidden"), "{text}");
    }
    let resolved = resolved(&artifact("https://me:hidden@h/x?token=hidden")).unwrap();
    assert_eq!(resolved.shown, "https://h/x");
    let url = Url::parse(&resolved.order.url).unwrap();
    assert_eq!(url.credentials.as_deref(), Some("me:hidden"));
}

#[test]
fn modes_ask_for_what_they_are() {
    let mut artifact = artifact("http://h/x.gz");
    artifact.mode = ArtifactMode::File;
    artifact.destination = spanned("local/y");
    let file = resolved(&artifact).unwrap();
    assert_eq!(file.order.result, Outcome::File);
    assert_eq!(file.target.below, ["local", "y"]);
    artifact.destination = spanned(".");
    assert!(
        resolved(&artifact)
            .unwrap_err()
            .to_string()
            .contains("a destination that is a file")
    );
    artifact.mode = ArtifactMode::Dir;
    artifact.source = spanned("http://h/x");
    assert!(
        resolved(&artifact)
            .unwrap_err()
            .to_string()
            .contains("needs an archive")
    );
}

fn goes_to(destination: &str) -> Option<(Root, String)> {
    let mut artifact = artifact("http://h/x");
    artifact.destination = spanned(destination);
    match resolved(&artifact) {
        Ok(resolved) => Some((resolved.target.root, resolved.target.below.join("/"))),
        Err(failure) => {
            let text = failure.to_string();
            assert!(
                text.ends_with("artifact destination path escapes alloc directory"),
                "{text}"
            );
            assert!(!failure.is_recoverable());
            None
        }
    }
}

#[test]
fn destinations_are_where_the_task_sees_them() {
    for (destination, root, path) in [
        ("local/", Root::Task, "local"),
        ("/local/a/../b", Root::Task, "local/b"),
        ("${NOMAD_TASK_DIR}/a", Root::Task, "local/a"),
        ("${NOMAD_ALLOC_DIR}/data", Root::Shared, "data"),
        ("/alloc/data", Root::Shared, "data"),
        ("alloc/data", Root::Shared, "data"),
        ("../alloc/data", Root::Shared, "data"),
        ("../web/local", Root::Task, "local"),
        ("/secrets/k", Root::Task, "secrets/k"),
        (".", Root::Task, ""),
        ("/usr/local/bin", Root::Task, "usr/local/bin"),
        ("/allocated", Root::Task, "allocated"),
        ("${UNKNOWN}/x", Root::Task, "${UNKNOWN}/x"),
    ] {
        assert_eq!(
            goes_to(destination),
            Some((root, path.to_owned())),
            "{destination}"
        );
    }
}

#[test]
fn no_destination_leaves_the_allocation() {
    for destination in [
        "..",
        "../..",
        "../other",
        "local/../../../x",
        "${UP}",
        "${NOMAD_ALLOC_DIR}/../../x",
        "local/../..",
        "private/x",
        ".encamp",
        "../web/private",
    ] {
        assert_eq!(goes_to(destination), None, "{destination}");
    }
}
