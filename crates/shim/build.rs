//! Builds the image that this crate embeds: the same crate's `encamp-shim` binary with the feature `image`, static and small, by a nested
//! cargo that needs nothing but what the outer one has.
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    for path in [
        "src",
        "build.rs",
        "../sandbox/src",
        "../cgroup/src",
        "../../Cargo.toml",
        "../../Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={path}");
    }
    // The image itself embeds nothing.
    if env::var_os("CARGO_FEATURE_IMAGE").is_none() {
        let image = build();
        println!("cargo::rustc-env=ENCAMP_SHIM_IMAGE={}", image.display());
    }
}

fn build() -> PathBuf {
    let target = variable("TARGET");
    let directory = target_directory();
    let mut cargo = Command::new(variable("CARGO"));
    // What the outer build is told about itself must not reach the inner one.
    for name in [
        "RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "CARGO_MAKEFLAGS",
        "MAKEFLAGS",
    ] {
        cargo.env_remove(name);
    }
    // Static and not position-independent: no loader, no relocated page, so nearly all of its memory is shared with its file.
    let flags = [
        "-Ctarget-feature=+crt-static",
        "-Crelocation-model=static",
        "-Clink-arg=-Wl,-z,norelro",
    ];
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    cargo.args([
        "build",
        "--locked",
        "--profile",
        "shim",
        "--package",
        "shim",
        "--bin",
        "encamp-shim",
        "--features",
        "image",
    ]);
    cargo
        .arg("--target")
        .arg(&target)
        .arg("--target-dir")
        .arg(&directory);
    cargo
        .arg("--manifest-path")
        .arg(Path::new(&variable("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let status = cargo
        .status()
        .unwrap_or_else(|error| panic!("run cargo for the shim's image: {error}"));
    assert!(status.success(), "the shim's image was not built: {status}");
    directory.join(target).join("shim").join("encamp-shim")
}

/// Beside the outer build's profiles, so that all of them share one image: `<target>/<profile>/build/<package>/out` is OUT_DIR.
fn target_directory() -> PathBuf {
    let out = PathBuf::from(variable("OUT_DIR"));
    let root = out.ancestors().nth(4).unwrap_or(&out);
    root.join("shim-image")
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
