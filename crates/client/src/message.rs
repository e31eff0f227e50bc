//! Inboxes: whatever happens while somebody waits arrives in one place, in its order.
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Messages in their order; some can wait while another kind is looked for.
#[derive(Debug)]
pub(crate) struct Inbox<M> {
    messages: Receiver<M>,
    sender: Sender<M>,
    put_back: VecDeque<M>,
}

impl<M> Inbox<M> {
    pub(crate) fn new() -> Inbox<M> {
        let (sender, messages) = channel();
        Inbox {
            messages,
            sender,
            put_back: VecDeque::new(),
        }
    }

    /// Where messages are sent to.
    pub(crate) fn sender(&self) -> Sender<M> {
        self.sender.clone()
    }

    /// Waits for the next message.
    pub(crate) fn next(&mut self) -> M {
        loop {
            // The inbox holds a sender itself, so this returns with a message.
            if let Some(message) = self.next_within(Duration::MAX) {
                return message;
            }
        }
    }

    /// Waits for the next message so long.
    pub(crate) fn next_within(&mut self, limit: Duration) -> Option<M> {
        if let Some(message) = self.put_back.pop_front() {
            return Some(message);
        }
        self.messages.recv_timeout(limit).ok()
    }

    /// Waits for the next message until then, if there is an end at all.
    pub(crate) fn next_until(&mut self, end: Option<Instant>) -> Option<M> {
        let limit = end.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now())
        });
        self.next_within(limit)
    }

    /// Waits until this time for a message that `find` makes something of; the others keep.
    pub(crate) fn find_until<T>(
        &mut self,
        end: Option<Instant>,
        find: impl Fn(M) -> Result<T, M>,
    ) -> Option<T> {
        let mut others = VecDeque::new();
        let mut found = None;
        while found.is_none() {
            match self.next_until(end).map(&find) {
                Some(Ok(this)) => found = Some(this),
                Some(Err(other)) => others.push_back(other),
                None => break,
            }
        }
        self.put_back(others);
        found
    }

    /// Puts messages back, to be next.
    pub(crate) fn put_back(&mut self, mut messages: VecDeque<M>) {
        messages.append(&mut self.put_back);
        self.put_back = messages;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_one_kind_loses_nothing() {
        let mut inbox = Inbox::new();
        let sender = inbox.sender();
        for message in ["drained", "15", "2"] {
            assert!(sender.send(message).is_ok());
        }
        let number = |text: &'static str| text.parse::<i32>().map_err(|_| text);
        let now = Some(Instant::now());
        assert_eq!(inbox.find_until(now, number), Some(15));
        assert_eq!(inbox.next(), "drained");
        assert_eq!(inbox.find_until(now, number), Some(2));
        assert_eq!(inbox.find_until(now, number), None);
    }
}
