//! A template's text to tokens.
use super::fault::Fault;
use super::number;
use super::parse::Delimiters;
use super::tree::At;
use super::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// What stands between actions.
    Text(String),
    /// An action opens.
    Left,
    /// An action closes.
    Right,
    Space,
    Word(String),
    Field(String),
    Variable(String),
    Dot,
    Literal(Literal),
    Pipe,
    Open,
    Close,
    Declare,
    Assign,
    Char(char),
    End,
}

/// A value that stands for itself.
#[derive(Debug, Clone)]
pub(super) struct Literal(pub(super) Value);

impl PartialEq for Literal {
    /// Literals are told from other tokens, never from each other.
    fn eq(&self, _: &Literal) -> bool {
        true
    }
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: At,
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn tokens(text: &str, delimiters: &Delimiters<'_>) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer {
        text,
        at: 0,
        delimiters,
        tokens: Vec::new(),
    };
    while lexer.text() {
        lexer.action()?;
    }
    let end = text.len()..text.len();
    lexer.push(Kind::End, end);
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    delimiters: &'a Delimiters<'a>,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, kind: Kind, at: At) {
        self.tokens.push(Token { kind, at });
    }

    fn fault<T>(&self, start: usize, what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::new(&(start..self.at.max(start)), what))
    }

    /// Takes the text up to the next action; says whether there is one.
    fn text(&mut self) -> bool {
        let start = self.at;
        let found = self.rest().find(self.delimiters.left);
        let end = found.map_or(self.text.len(), |offset| start + offset);
        let mut text = &self.text[start..end];
        if found.is_some() && trims_left(&self.text[end + self.delimiters.left.len()..]) {
            text = text.trim_end_matches(SPACES);
        }
        if !text.is_empty() {
            self.push(Kind::Text(text.to_owned()), start..start + text.len());
        }
        self.at = end;
        found.is_some()
    }

    fn action(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += self.delimiters.left.len();
        if trims_left(self.rest()) {
            self.at += TRIM;
        }
        if self.rest().starts_with("/*") {
            return self.comment(start);
        }
        self.push(Kind::Left, start..self.at);
        let mut open = 0_usize;
        loop {
            if let Some(trims) = self.closes() {
                if open > 0 {
                    return self.fault(start, "unclosed left paren");
                }
                self.close(trims);
                return Ok(());
            }
            open = self.token(start, open)?;
        }
    }

    fn comment(&mut self, start: usize) -> Result<(), Fault> {
        let Some(end) = self.rest()[2..].find("*/") else {
            return self.fault(start, "unclosed comment");
        };
        self.at += end + 4;
        let Some(trims) = self.closes() else {
            return self.fault(start, "comment ends before closing delimiter");
        };
        self.skip_close(trims);
        Ok(())
    }

    /// Whether an action closes here, and takes away the space behind it.
    fn closes(&self) -> Option<bool> {
        let rest = self.rest();
        let mut chars = rest.chars();
        let marked = chars.next().is_some_and(|c| SPACES.contains(&c)) && chars.next() == Some('-');
        if marked && rest[TRIM..].starts_with(self.delimiters.right) {
            return Some(true);
        }
        rest.starts_with(self.delimiters.right).then_some(false)
    }

    fn close(&mut self, trims: bool) {
        let start = self.at;
        self.skip_close(trims);
        self.push(Kind::Right, start..self.at);
    }

    fn skip_close(&mut self, trims: bool) {
        self.at += self.delimiters.right.len();
        if trims {
            self.at += TRIM;
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(SPACES).len();
        }
    }

    /// Takes one token of an action; `open` parentheses become as many as it returns.
    fn token(&mut self, action: usize, open: usize) -> Result<usize, Fault> {
        let start = self.at;
        let Some(c) = self.peek() else {
            return self.fault(action, "unclosed action");
        };
        match c {
            _ if SPACES.contains(&c) => self.space(),
            '(' => {
                self.one(Kind::Open);
                return Ok(open + 1);
            }
            ')' => {
                self.one(Kind::Close);
                let Some(open) = open.checked_sub(1) else {
                    return self.fault(start, "unexpected right paren");
                };
                return Ok(open);
            }
            '=' => self.one(Kind::Assign),
            '|' => self.one(Kind::Pipe),
            ':' if self.rest().starts_with(":=") => {
                self.at += 2;
                self.push(Kind::Declare, start..self.at);
            }
            ':' => return self.fault(start, "expected :="),
            '"' | '\'' => self.quoted(c)?,
            '`' => self.raw()?,
            '$' => self.variable()?,
            '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.field()?,
            '.' | '+' | '-' | '0'..='9' => self.number()?,
            _ if is_word(c) => self.word()?,
            _ if c.is_ascii_graphic() => self.one(Kind::Char(c)),
            _ => {
                let what = format!("unrecognized character in action: {:?}", c);
                return self.fault(start, what);
            }
        }
        Ok(open)
    }

    fn one(&mut self, kind: Kind) {
        let start = self.at;
        self.at += 1;
        self.push(kind, start..self.at);
    }

    /// Leaves the last space to a closing delimiter that trims.
    fn space(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches(SPACES).len();
        self.at += length - 1;
        if self.closes() != Some(true) {
            self.at += 1;
        }
        if self.at > start {
            self.push(Kind::Space, start..self.at);
        }
    }

    fn take_word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn terminated(&self, start: usize) -> Result<(), Fault> {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => Ok(()),
            Some(c) if SPACES.contains(&c) => Ok(()),
            Some(_) if self.rest().starts_with(self.delimiters.right) => Ok(()),
            Some(c) => self.fault(start, format!("bad character {c:?}")),
        }
    }

    fn word(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let word = self.take_word().to_owned();
        self.terminated(start)?;
        let kind = match word.as_str() {
            "true" | "false" => Kind::Literal(Literal(Value::Bool(word == "true"))),
            _ => Kind::Word(word),
        };
        self.push(kind, start..self.at);
        Ok(())
    }

    fn variable(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        self.take_word();
        self.terminated(start)?;
        let name = self.text[start..self.at].to_owned();
        self.push(Kind::Variable(name), start..self.at);
        Ok(())
    }

    fn field(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        let name = self.take_word().to_owned();
        self.terminated(start)?;
        let kind = if name.is_empty() {
            Kind::Dot
        } else {
            Kind::Field(name)
        };
        self.push(kind, start..self.at);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let rest = self.rest();
        let length = number::length(rest);
        self.at += length;
        let written = &rest[..length];
        if self.peek().is_some_and(is_word) {
            self.at += self.peek().map_or(0, char::len_utf8);
            let written = &self.text[start..self.at];
            return self.fault(start, format!("bad number syntax: {written:?}"));
        }
        match number::constant(written) {
            Some(value) => {
                self.push(Kind::Literal(Literal(value)), start..self.at);
                Ok(())
            }
            None => self.fault(start, format!("illegal number syntax: {written:?}")),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<(), Fault> {
        let start = self.at;
        let unterminated = match quote {
            '"' => "unterminated quoted string",
            _ => "unterminated character constant",
        };
        self.at += 1;
        loop {
            let Some(c) = self.peek() else {
                return self.fault(start, unterminated);
            };
            self.at += c.len_utf8();
            match c {
                _ if c == quote => break,
                '\n' => return self.fault(start, unterminated),
                '\\' => match self.peek() {
                    None | Some('\n') => return self.fault(start, unterminated),
                    Some(escaped) => self.at += escaped.len_utf8(),
                },
                _ => {}
            }
        }
        let inner = &self.text[start + 1..self.at - 1];
        let value = match quote {
            '"' => number::unquote(inner, quote).map(Value::text),
            _ => number::character(inner).map(|c| Value::Int(i64::from(c))),
        };
        match value {
            Some(value) => {
                self.push(Kind::Literal(Literal(value)), start..self.at);
                Ok(())
            }
            None => self.fault(start, "invalid syntax"),
        }
    }

    fn raw(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let Some(end) = self.rest()[1..].find('`') else {
            return self.fault(start, "unterminated raw quoted string");
        };
        self.at += end + 2;
        let inner = self.text[start + 1..self.at - 1].replace('\r', "");
        self.push(Kind::Literal(Literal(Value::text(inner))), start..self.at);
        Ok(())
    }
}

/// A space and a minus.
const TRIM: usize = 2;

fn trims_left(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('-') && chars.next().is_some_and(|c| SPACES.contains(&c))
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
