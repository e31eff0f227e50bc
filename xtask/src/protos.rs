//! Makes the checked-in Rust of the plugin's `.proto` files, so that building the program needs no generator.
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the descriptions are, from the repository's root.
const PROTO: &str = "crates/plugin/proto";
/// Where the Rust made of them is.
const GENERATED: &str = "crates/plugin/src/generated";

/// Writes `crates/plugin/src/generated`, or with `check` compares what is there with what would be written.
///
/// # Errors
/// A description that does not compile; a file that cannot be written; with `check`, any difference.
pub(crate) fn generate(check: bool) -> Result<(), Box<dyn Error + Send + Sync>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let committed = root.join(GENERATED);
    let fresh = root.join("target/generated-protos");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh)?;
    compile(&root.join(PROTO), &fresh)?;
    if check {
        compare(&fresh, &committed)
    } else {
        replace(&fresh, &committed)
    }
}

fn compile(descriptions: &Path, out: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let files = protox::compile(names(descriptions)?, [descriptions])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .btree_map(".")
        .out_dir(out)
        .compile_fds(files)?;
    Ok(())
}

fn compare(fresh: &Path, committed: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stale =
        |name: &PathBuf| fs::read(fresh.join(name)).ok() != fs::read(committed.join(name)).ok();
    let names: Vec<_> = names(fresh)?
        .into_iter()
        .chain(names(committed)?)
        .filter(stale)
        .collect();
    match names.first() {
        None => Ok(()),
        Some(name) => {
            Err(format!("{GENERATED}/{} is not what {PROTO} gives", name.display()).into())
        }
    }
}

fn replace(fresh: &Path, committed: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let _ = fs::remove_dir_all(committed);
    fs::create_dir_all(committed)?;
    for name in names(fresh)? {
        fs::copy(fresh.join(&name), committed.join(&name))?;
    }
    Ok(())
}

/// File names in a directory, sorted.
fn names(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error + Send + Sync>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(PathBuf::from(entry?.file_name()));
    }
    names.sort();
    Ok(names)
}
