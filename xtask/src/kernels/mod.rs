//! The isolation suite on other kernels: in virtual machines, and here under filters that take system calls away.
//!
//! Which tests ran and passed on each is compared with a committed list, `tests/kernels/lists/<row>.txt`: one that is missing fails, and so
//! does one that is new. `tests/kernels/README.md` says how to use this.
mod guest;
mod host;
mod image;
mod lists;
mod log;
mod packages;
mod programs;
mod rows;
mod tree;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::{Outcome, Repository};

use log::Log;
use programs::Programs;
use rows::{Place, Row};

/// Any of the ways in which a program that is called can fail.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Writes the lists instead of comparing them.
const UPDATE: &str = "UPDATE";

/// Where everything is kept that is not committed.
pub(crate) struct Store {
    root: PathBuf,
    target: PathBuf,
}

impl Store {
    fn new(repository: &Repository) -> Store {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        Store {
            root: repository.root.clone(),
            target: target.unwrap_or_else(|| repository.root.join("target")),
        }
    }

    /// The files of this part of the suites.
    fn sources(&self) -> PathBuf {
        self.root.join("tests/kernels")
    }

    /// A directory of what was downloaded or made.
    fn kept(&self, name: &str) -> Result<PathBuf> {
        let directory = self.target.join("kernels").join(name);
        std::fs::create_dir_all(&directory)?;
        Ok(directory)
    }
}

/// Runs the rows that the command line names, all without a name. `ROW=FILE` reads the row from the output of a run.
pub(crate) fn run(repository: &Repository) -> Outcome {
    let store = Store::new(repository);
    let asked: Vec<String> = std::env::args().skip(2).collect();
    let mut found = Vec::new();
    for (row, file) in rows::chosen(&asked)? {
        found.extend(one(&store, row, file.as_deref())?);
    }
    Ok(found)
}

fn one(store: &Store, row: &Row, file: Option<&Path>) -> Outcome {
    let begin = Instant::now();
    let log = match file {
        Some(file) => Log::of_cargo(&std::fs::read_to_string(file)?),
        None => play(store, row)?,
    };
    println!(
        "xtask kernels: {}: {} in {:.0} s",
        row.name,
        log.summary(),
        begin.elapsed().as_secs_f64()
    );
    let found = log.faults(row.name);
    if !found.is_empty() {
        return Ok(found);
    }
    let list = store.sources().join(format!("lists/{}.txt", row.name));
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(list, lists::text(row, &log))?;
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&list).unwrap_or_default();
    Ok(lists::differences(row, &text, &log))
}

fn play(store: &Store, row: &Row) -> Result<Log> {
    let programs = Programs::build(store)?;
    match &row.place {
        Place::Here(through) => host::play(store, &programs, row, through),
        Place::Guest(guest) => guest::play(store, &programs, row, guest),
    }
}
