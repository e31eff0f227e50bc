//! Standard error as encamp uses it. Whoever closed it wants no words, so a failed write is no error.
use std::io::{IsTerminal, Write};

/// Writes text as it is, in one piece.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a result to standard output. Whoever reads no further (`encamp doctor | head -n 1`) has had what they wanted.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Whether messages may be drawn: a person reads them.
pub(crate) fn is_interactive() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether colours are wanted there.
pub(crate) fn has_color(no_color: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_interactive() && !no_color && !set("NO_COLOR") && !set("NOMAD_CLI_NO_COLOR")
}
