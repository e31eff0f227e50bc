//! The plugin alone, for its own tests: serves the driver that is named as the only argument.
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("exec2") => plugin::serve(driver::Kind::Exec2),
        _ => plugin::serve(driver::Kind::Exec),
    }
}
