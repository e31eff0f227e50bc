//! The plugin alone, for its own tests: serves the driver that it is named after, or the one named as its argument.
#![forbid(unsafe_code)]
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().next_back() {
        Some(name) if name.ends_with("exec2") => plugin::serve(driver::Kind::Exec2),
        _ => plugin::serve(driver::Kind::Exec),
    }
}
