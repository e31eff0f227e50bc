//! The one inbox of a run: whatever happens while it waits arrives here.
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use driver::ExitResult;

/// Something happened.
#[derive(Debug)]
pub(crate) enum Message {
    /// A signal was sent to us.
    Signal(i32),
    /// The task has ended, or was lost sight of.
    Ended(Result<ExitResult, driver::Error>),
    /// Asking the task to end has failed.
    StopFailed(driver::Error),
    /// A pump has written all that there was when it was asked.
    Drained,
    /// A pump could not write.
    OutputLost(&'static str, std::io::Error),
}

/// Messages in their order; some can wait while another kind is looked for.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: Receiver<Message>,
    sender: Sender<Message>,
    put_back: VecDeque<Message>,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        let (sender, messages) = channel();
        Inbox {
            messages,
            sender,
            put_back: VecDeque::new(),
        }
    }

    /// Where messages are sent to.
    pub(crate) fn sender(&self) -> Sender<Message> {
        self.sender.clone()
    }

    /// Waits for the next message.
    pub(crate) fn next(&mut self) -> Message {
        loop {
            // The inbox holds a sender itself, so this returns with a message.
            if let Some(message) = self.next_within(Duration::MAX) {
                return message;
            }
        }
    }

    /// Waits for the next message so long.
    pub(crate) fn next_within(&mut self, limit: Duration) -> Option<Message> {
        if let Some(message) = self.put_back.pop_front() {
            return Some(message);
        }
        self.messages.recv_timeout(limit).ok()
    }

    /// Waits until this time for a signal; messages of other kinds keep.
    pub(crate) fn signal_before(&mut self, end: Instant) -> Option<i32> {
        let mut others = VecDeque::new();
        let mut found = None;
        while found.is_none() {
            match self.next_within(end.saturating_duration_since(Instant::now())) {
                Some(Message::Signal(signal)) => found = Some(signal),
                Some(other) => others.push_back(other),
                None => break,
            }
        }
        self.put_back(others);
        found
    }

    /// Puts messages back, to be next.
    pub(crate) fn put_back(&mut self, mut messages: VecDeque<Message>) {
        messages.append(&mut self.put_back);
        self.put_back = messages;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_a_signal_loses_nothing() {
        let mut inbox = Inbox::new();
        let sender = inbox.sender();
        for message in [Message::Drained, Message::Signal(15), Message::Signal(2)] {
            assert!(sender.send(message).is_ok());
        }
        assert_eq!(inbox.signal_before(Instant::now()), Some(15));
        assert!(matches!(inbox.next(), Message::Drained));
        assert_eq!(inbox.signal_before(Instant::now()), Some(2));
        assert_eq!(inbox.signal_before(Instant::now()), None);
    }
}
