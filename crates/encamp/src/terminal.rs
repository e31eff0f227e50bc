//! Standard error as encamp uses it. Whoever closed it wants no words, so a failed write is no error.
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Writes text in one piece.
pub(crate) fn say(text: &str) {
    let raw = client::tty::is_raw().then(|| text.replace('\n', "\r\n"));
    let text = raw.as_deref().unwrap_or(text);
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Says things from a thread of its own: a terminal that is held up (Ctrl-S) holds up nobody who has something to say.
#[derive(Debug)]
pub(crate) struct Writer {
    texts: Option<Sender<String>>,
    done: Mutex<Receiver<()>>,
}

/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(3);

impl Default for Writer {
    fn default() -> Writer {
        let (texts, next) = channel::<String>();
        let (to, done) = channel();
        let write = move || {
            next.iter().for_each(|text| say(&text));
            let _ = to.send(());
        };
        let spawned = std::thread::Builder::new()
            .name("words".to_owned())
            .spawn(write);
        Writer {
            texts: spawned.is_ok().then_some(texts),
            done: Mutex::new(done),
        }
    }
}

impl Writer {
    /// Says it soon, after what was said before.
    pub(crate) fn say(&self, text: String) {
        let left = match &self.texts {
            Some(texts) => texts.send(text).err().map(|failed| failed.0),
            None => Some(text),
        };
        // Without a thread it is said here.
        if let Some(text) = left {
            say(&text);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.texts = None;
        if let Ok(done) = self.done.get_mut() {
            let _ = done.recv_timeout(LAST_WORDS);
        }
    }
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
