//! `cargo metadata`, as far as the checks need it.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Why `cargo metadata` could not be read.
type Failure = Box<dyn std::error::Error>;

/// The resolved dependency graph.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    /// The workspace's directory.
    pub(crate) root: PathBuf,
    /// Every package, by id.
    pub(crate) packages: BTreeMap<String, Package>,
    /// Ids of the workspace's own packages.
    pub(crate) members: Vec<String>,
}

/// One package.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression.
    pub(crate) license: Option<String>,
    /// `None`: a path of this workspace.
    pub(crate) source: Option<String>,
    pub(crate) targets: Vec<Target>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One crate of a package.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    /// A library or a program; neither a test, nor a bench, nor a build script.
    pub(crate) product: bool,
}

/// One arrow of the graph.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) id: String,
    /// Only for tests.
    pub(crate) only_dev: bool,
}

impl Metadata {
    /// The workspace's own packages.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter_map(|id| self.packages.get(id))
    }
}

/// Asks cargo of the workspace that this directory is in. `--locked`: what is checked is what is committed.
pub(crate) fn load(directory: &Path) -> Result<Metadata, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(directory)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    parse(&serde_json::from_slice(&output.stdout)?)
}

/// Reads version 1 of the format.
pub(crate) fn parse(document: &Value) -> Result<Metadata, Failure> {
    let mut metadata = Metadata {
        root: text(document, "workspace_root")?.into(),
        members: array(document, "workspace_members")?
            .iter()
            .filter_map(Value::as_str)
            .map(String::from)
            .collect(),
        packages: BTreeMap::new(),
    };
    for package in array(document, "packages")? {
        metadata
            .packages
            .insert(text(package, "id")?, read_package(package)?);
    }
    for node in array(&document["resolve"], "nodes")? {
        let dependencies = array(node, "deps")?
            .iter()
            .map(read_dependency)
            .collect::<Result<_, _>>()?;
        let id = text(node, "id")?;
        metadata
            .packages
            .get_mut(&id)
            .ok_or_else(|| format!("node {id} is no package"))?
            .dependencies = dependencies;
    }
    Ok(metadata)
}

fn read_package(package: &Value) -> Result<Package, Failure> {
    Ok(Package {
        name: text(package, "name")?,
        version: text(package, "version")?,
        license: package["license"].as_str().map(String::from),
        source: package["source"].as_str().map(String::from),
        targets: array(package, "targets")?
            .iter()
            .map(read_target)
            .collect::<Result<_, _>>()?,
        dependencies: Vec::new(),
    })
}

fn read_target(target: &Value) -> Result<Target, Failure> {
    let mut kinds = array(target, "kind")?.iter();
    let product = kinds.any(|kind| kind == "lib" || kind == "bin");
    Ok(Target {
        path: text(target, "src_path")?.into(),
        product,
    })
}

fn read_dependency(dependency: &Value) -> Result<Dependency, Failure> {
    let only_dev = array(dependency, "dep_kinds")?
        .iter()
        .all(|kind| kind["kind"] == "dev");
    Ok(Dependency {
        id: text(dependency, "pkg")?,
        only_dev,
    })
}

fn text(value: &Value, key: &str) -> Result<String, Failure> {
    Ok(value[key]
        .as_str()
        .ok_or_else(|| format!("cargo metadata: no {key}"))?
        .to_owned())
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, Failure> {
    Ok(value[key]
        .as_array()
        .ok_or_else(|| format!("cargo metadata: no list {key}"))?)
}

#[cfg(test)]
pub(crate) mod samples {
    //! Graphs drawn by hand.
    use super::{Dependency, Metadata, Package};

    /// One member of the workspace per line: `name: normal normal dev?`; names not on the left are outside.
    pub(crate) fn graph(lines: &[&str]) -> Metadata {
        let mut metadata = Metadata::default();
        for line in lines {
            let (name, rest) = line.split_once(':').expect("name: dependencies");
            metadata.members.push(name.to_owned());
            add(&mut metadata, name, rest);
        }
        metadata
    }

    /// Adds a package that is not of the workspace.
    pub(crate) fn outside(metadata: &mut Metadata, line: &str) {
        let (name, rest) = line.split_once(':').expect("name: dependencies");
        add(metadata, name, rest);
    }

    fn add(metadata: &mut Metadata, name: &str, rest: &str) {
        let dependencies = rest
            .split_whitespace()
            .map(|word| Dependency {
                id: word.trim_end_matches('?').to_owned(),
                only_dev: word.ends_with('?'),
            })
            .collect();
        let package = Package {
            name: name.to_owned(),
            dependencies,
            ..Package::default()
        };
        metadata.packages.insert(name.to_owned(), package);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    #[test]
    fn a_document_of_cargo_is_understood() {
        let document = json!({
            "workspace_root": "/w",
            "workspace_members": ["a"],
            "packages": [
                {"id": "a", "name": "a", "version": "1.0.0", "license": "MIT", "source": null,
                 "targets": [{"kind": ["lib"], "src_path": "/w/a/src/lib.rs"}, {"kind": ["custom-build"], "src_path": "/w/a/build.rs"}]},
                {"id": "b", "name": "b", "version": "2.0.0", "license": null, "source": "registry+x", "targets": []},
            ],
            "resolve": {"nodes": [
                {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b", "deps": []},
            ]},
        });
        let metadata = super::parse(&document).unwrap();
        let a = &metadata.packages["a"];
        assert_eq!((a.targets.len(), a.targets[1].product), (2, false));
        assert_eq!(
            (a.dependencies[0].id.as_str(), a.dependencies[0].only_dev),
            ("b", true)
        );
        assert_eq!(metadata.own().count(), 1);
    }

    #[test]
    fn a_document_of_another_shape_is_refused() {
        assert!(super::parse(&json!({"workspace_root": "/w"})).is_err());
    }
}
