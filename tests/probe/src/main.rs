//! Runs inside a task and says what it sees, one JSON document a line on standard output.
//!
//! `probe [VERB ARGUMENT… [, VERB ARGUMENT…]…]`; without a verb `facts`. A verb that is refused by the kernel is an answer, not a
//! failure: its line has `"ok": false` and the errno. Exit code 0, unless `exit`, `catch` or `raise` says otherwise; 64 for a
//! verb that does not exist.
//!
//! Linked statically: it runs in a root that holds nothing else. Rust's runtime ignores SIGPIPE and handles SIGSEGV and SIGBUS
//! before `main`, so these three say nothing about the task.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

mod facts;
mod network;
mod verbs;

use std::process::ExitCode;

/// Between two verbs.
const SEPARATOR: &str = ",";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        println!("{}", facts::all());
    }
    for words in arguments.split(|word| word == SEPARATOR) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let [verb, rest @ ..] = words.as_slice()
            && let Some(code) = verbs::run(verb, rest)
        {
            return code;
        }
    }
    ExitCode::SUCCESS
}
