//! The way out of a session, as in ssh(1).

/// What leads out of a session: this character after a newline, and then a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escape {
    character: Option<u8>,
    state: Typed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typed {
    NewLine,
    Escape,
    Other,
}

impl Escape {
    /// By this character; `None`: nothing leads out.
    pub fn new(character: Option<u8>) -> Escape {
        Escape {
            character,
            state: Typed::NewLine,
        }
    }

    /// Whether anything leads out.
    pub(super) fn leads_out(&self) -> bool {
        self.character.is_some()
    }

    /// Takes what was typed; what goes on is left in `typed`. True when it led out.
    pub(super) fn take(&mut self, typed: &mut Vec<u8>) -> bool {
        let Some(escape) = self.character else {
            return false;
        };
        let mut passed = Vec::with_capacity(typed.len());
        for byte in typed.drain(..) {
            match (self.state, byte) {
                (Typed::Escape, b'.') => return true,
                (Typed::NewLine, byte) if byte == escape => {
                    self.state = Typed::Escape;
                    continue;
                }
                // Twice is once, as in ssh(1).
                (Typed::Escape, byte) if byte == escape => {}
                (Typed::Escape, _) => passed.push(escape),
                _ => {}
            }
            passed.push(byte);
            self.state = if matches!(byte, b'\n' | b'\r') {
                Typed::NewLine
            } else {
                Typed::Other
            };
        }
        *typed = passed;
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn typed(escape: &mut Escape, keys: &str) -> (String, bool) {
        let mut bytes = keys.as_bytes().to_vec();
        let out = escape.take(&mut bytes);
        (String::from_utf8(bytes).unwrap(), out)
    }

    #[test]
    fn the_way_out_begins_a_line() {
        let mut escape = Escape::new(Some(b'~'));
        assert_eq!(typed(&mut escape, "a~."), ("a~.".to_owned(), false));
        assert_eq!(typed(&mut escape, "\r~"), ("\r".to_owned(), false));
        assert_eq!(typed(&mut escape, "x"), ("~x".to_owned(), false));
        assert_eq!(typed(&mut escape, "\r~~"), ("\r~".to_owned(), false));
        assert_eq!(typed(&mut escape, "\n~"), ("\n".to_owned(), false));
        assert!(typed(&mut escape, ".").1);
        assert!(!typed(&mut Escape::new(None), "~.").1);
    }
}
