//! The plugin under a real Go host: Nomad's own client code on the other side of go-plugin's protocol.
//!
//! The host is `go/`; what it checks is listed there, and in what it prints.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use suite::Need;
use suite::binaries::{encamp, repository};

/// Where Go's own archives put it, which is on nobody's `PATH` by itself.
const USUAL_GO: &str = "/usr/local/go/bin/go";

#[test]
fn both_drivers_serve_nomads_own_client() {
    if !suite::need::require(&[Need::Root, Need::Cgroup]) {
        return;
    }
    let Some(go) = go() else {
        // Says the rest: skipped, or required and failed.
        assert!(!suite::need::require(&[Need::Go]), "Go is there after all");
        return;
    };
    let host = build(&go);
    let output = Command::new(&host).arg(encamp()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let is_ok = |line: &&str| line.ends_with(" ... ok");
    let failed: Vec<_> = said.lines().filter(|line| !is_ok(line)).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{errors}", failed.join("\n"));
    // A host that checked nothing would succeed too.
    assert!(said.lines().filter(is_ok).count() > 700, "{said}");
}

/// The Go toolchain: on `PATH`, or where it usually is.
fn go() -> Option<PathBuf> {
    ["go", USUAL_GO].into_iter().map(PathBuf::from).find(|go| {
        Command::new(go)
            .arg("version")
            .output()
            .is_ok_and(|output| output.status.success())
    })
}

/// Builds the host beside this test; the modules are those of `go.sum` and no others.
fn build(go: &Path) -> PathBuf {
    let host = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nomad-host");
    let built = Command::new(go)
        .args(["build", "-mod=readonly", "-o"])
        .args([&host, Path::new(".")])
        // As for the virtual machine of tests/kernels, so that the two share what is compiled.
        .env("CGO_ENABLED", "0")
        .current_dir(repository().join("tests/plugin/go"))
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    host
}
