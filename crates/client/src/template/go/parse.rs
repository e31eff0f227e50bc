//! Tokens to a tree.
use super::budget::MAX_NESTING;
use super::fault::Fault;
use super::token::{Kind, Literal, Token, tokens};
use super::tree::{At, Branch, Node, Pipe, Tree};
use super::value::Value;

/// What opens and closes an action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delimiters<'a> {
    pub(crate) left: &'a str,
    pub(crate) right: &'a str,
}

/// Parses a template; `known` says which names are functions.
pub(crate) fn parse(
    text: &str,
    delimiters: &Delimiters<'_>,
    known: &dyn Fn(&str) -> bool,
) -> Result<Tree, Fault> {
    let mut parser = Parser {
        tokens: tokens(text, delimiters)?,
        next: 0,
        known,
        variables: vec!["$".to_owned()],
        loops: 0,
        nested: 0,
        tree: Tree::default(),
    };
    let (main, end) = parser.list()?;
    match end {
        End::Text => {
            parser.tree.main = main;
            Ok(parser.tree)
        }
        End::Closed(at) => Err(Fault::new(&at, "unexpected {{end}}")),
        End::Else(at) => Err(Fault::new(&at, "unexpected {{else}}")),
    }
}

pub(super) struct Parser<'a> {
    pub(super) tokens: Vec<Token>,
    pub(super) next: usize,
    pub(super) known: &'a dyn Fn(&str) -> bool,
    pub(super) variables: Vec<String>,
    /// How many loops are open here.
    loops: usize,
    nested: usize,
    pub(super) tree: Tree,
}

/// What ended a list of nodes.
enum End {
    Text,
    Closed(At),
    Else(At),
}

impl Parser<'_> {
    /// The next token; behind the last one there is the last one.
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    pub(super) fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    pub(super) fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    pub(super) fn take_unspaced(&mut self) -> Token {
        self.skip_space();
        self.take()
    }

    pub(super) fn nest<T>(
        &mut self,
        at: &At,
        read: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.nested += 1;
        if self.nested > MAX_NESTING {
            return Err(Fault::new(
                at,
                format!("nested more than {MAX_NESTING} deep"),
            ));
        }
        let result = read(self);
        self.nested -= 1;
        result
    }

    /// Nodes up to the end of the text, `{{end}}` or `{{else`; what follows `else` is not read yet.
    fn list(&mut self) -> Result<(Vec<Node>, End), Fault> {
        let mut nodes = Vec::new();
        loop {
            let Token { kind, at } = self.take();
            match kind {
                Kind::End => return Ok((nodes, End::Text)),
                Kind::Text(text) => nodes.push(Node::Text(text)),
                _ => match self.action(&at)? {
                    Read::Node(node) => nodes.push(node),
                    Read::Nothing => {}
                    Read::End(end) => return Ok((nodes, end)),
                },
            }
        }
    }

    fn action(&mut self, left: &At) -> Result<Read, Fault> {
        self.skip_space();
        let token = self.peek().clone();
        let Kind::Word(word) = &token.kind else {
            return self.pipeline("command").map(Node::Action).map(Read::Node);
        };
        let at = left.start..token.at.end;
        self.next += 1;
        match word.as_str() {
            "if" | "with" | "range" => {
                let word = word.clone();
                let node = self.nest(&at, |parser| parser.branch(&word, &at))?;
                Ok(Read::Node(node))
            }
            "end" => {
                self.expect_right("end")?;
                Ok(Read::End(End::Closed(at)))
            }
            "else" => Ok(Read::End(End::Else(at))),
            "define" => self.define(&at),
            "block" => self.nest(&at, |parser| parser.block(&at)).map(Read::Node),
            "template" => self.template(&at).map(Read::Node),
            "break" | "continue" => self.leave(&at, word == "break"),
            _ => {
                self.next -= 1;
                self.pipeline("command").map(Node::Action).map(Read::Node)
            }
        }
    }

    fn leave(&mut self, at: &At, breaks: bool) -> Result<Read, Fault> {
        let word = if breaks { "break" } else { "continue" };
        self.expect_right(word)?;
        if self.loops == 0 {
            return Err(Fault::new(
                at,
                format!("{{{{{word}}}}} outside {{{{range}}}}"),
            ));
        }
        Ok(Read::Node(if breaks {
            Node::Break
        } else {
            Node::Continue
        }))
    }

    fn expect_right(&mut self, place: &str) -> Result<(), Fault> {
        let token = self.take_unspaced();
        match token.kind {
            Kind::Right => Ok(()),
            _ => Err(unexpected(&token, place)),
        }
    }

    /// `if`, `with` or `range`, up to its `{{end}}`.
    fn branch(&mut self, word: &str, at: &At) -> Result<Node, Fault> {
        let outer = self.variables.len();
        let pipe = self.pipeline(word)?;
        let in_loop = usize::from(word == "range");
        self.loops += in_loop;
        let (body, end) = self.list()?;
        self.loops -= in_loop;
        let otherwise = match end {
            End::Closed(_) => None,
            End::Text => {
                return Err(Fault::new(
                    at,
                    format!("unclosed {{{{{word}}}}}: unexpected EOF"),
                ));
            }
            End::Else(at) => Some(self.otherwise(word, &at)?),
        };
        self.variables.truncate(outer);
        let branch = Branch {
            pipe,
            body,
            otherwise,
        };
        Ok(match word {
            "if" => Node::If(branch),
            "with" => Node::With(branch),
            _ => Node::Range(branch),
        })
    }

    /// What follows `{{else`: `}}` and a list, or another condition, which ends both.
    fn otherwise(&mut self, word: &str, at: &At) -> Result<Vec<Node>, Fault> {
        self.skip_space();
        let chained = match &self.peek().kind {
            Kind::Word(next) => next == word && word != "range",
            _ => false,
        };
        if chained {
            self.next += 1;
            return self.nest(at, |parser| Ok(vec![parser.branch(word, at)?]));
        }
        self.expect_right("else")?;
        let (nodes, end) = self.list()?;
        match end {
            End::Closed(_) => Ok(nodes),
            End::Else(at) => Err(Fault::new(&at, "expected end; found {{else}}")),
            End::Text => Err(Fault::new(at, "unclosed {{else}}: unexpected EOF")),
        }
    }

    /// A name in quotes.
    fn name(&mut self, place: &str) -> Result<String, Fault> {
        let token = self.take_unspaced();
        match &token.kind {
            Kind::Literal(Literal(Value::Text(name))) => {
                Ok(String::from_utf8_lossy(name).into_owned())
            }
            _ => Err(unexpected(&token, place)),
        }
    }

    fn define(&mut self, at: &At) -> Result<Read, Fault> {
        if self.nested > 0 {
            return Err(Fault::new(at, "unexpected {{define}}"));
        }
        let name = self.name("define clause")?;
        self.expect_right("define clause")?;
        let body = self.nest(at, |parser| parser.body(at, "define"))?;
        self.add(name, body, at)?;
        Ok(Read::Nothing)
    }

    /// The body of a template of its own: it knows no variable of those around it.
    fn body(&mut self, at: &At, word: &str) -> Result<Vec<Node>, Fault> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let (body, end) = self.list()?;
        self.variables = variables;
        self.loops = loops;
        match end {
            End::Closed(_) => Ok(body),
            End::Else(at) => Err(Fault::new(
                &at,
                format!("unexpected {{{{else}}}} in {word} clause"),
            )),
            End::Text => Err(Fault::new(
                at,
                format!("unclosed {{{{{word}}}}}: unexpected EOF"),
            )),
        }
    }

    fn add(&mut self, name: String, body: Vec<Node>, at: &At) -> Result<(), Fault> {
        if let Some(before) = self.tree.defined.get(&name)
            && !is_empty(before)
        {
            if is_empty(&body) {
                return Ok(());
            }
            return Err(Fault::new(
                at,
                format!("multiple definition of template {name:?}"),
            ));
        }
        self.tree.defined.insert(name, body);
        Ok(())
    }

    fn block(&mut self, at: &At) -> Result<Node, Fault> {
        let name = self.name("block clause")?;
        let pipe = self.pipeline("block clause")?;
        let body = self.body(at, "block")?;
        self.add(name.clone(), body, at)?;
        Ok(Node::Template {
            at: at.clone(),
            name,
            pipe: Some(pipe),
        })
    }

    fn template(&mut self, at: &At) -> Result<Node, Fault> {
        let name = self.name("template clause")?;
        self.skip_space();
        let pipe = if self.peek().kind == Kind::Right {
            self.next += 1;
            None
        } else {
            Some(self.pipeline("template clause")?)
        };
        Ok(Node::Template {
            at: at.clone(),
            name,
            pipe,
        })
    }

    /// A pipeline up to the end of its action.
    fn pipeline(&mut self, place: &str) -> Result<Pipe, Fault> {
        self.pipe(place, &Kind::Right)
    }
}

enum Read {
    Node(Node),
    Nothing,
    End(End),
}

fn is_empty(body: &[Node]) -> bool {
    body.iter()
        .all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

pub(super) fn unexpected(token: &Token, place: &str) -> Fault {
    let what = match &token.kind {
        Kind::End => "EOF".to_owned(),
        Kind::Right => "end of the action".to_owned(),
        Kind::Left => "an action".to_owned(),
        Kind::Text(_) => "text".to_owned(),
        Kind::Space => "space".to_owned(),
        Kind::Word(word) => format!("<{word}>"),
        Kind::Field(name) => format!("<.{name}>"),
        Kind::Variable(name) => format!("<{name}>"),
        Kind::Dot => "<.>".to_owned(),
        Kind::Literal(Literal(value)) => format!("a {}", value.type_name()),
        Kind::Pipe => "\"|\"".to_owned(),
        Kind::Open => "\"(\"".to_owned(),
        Kind::Close => "\")\"".to_owned(),
        Kind::Declare => "\":=\"".to_owned(),
        Kind::Assign => "\"=\"".to_owned(),
        Kind::Char(c) => format!("{:?}", c.to_string()),
    };
    Fault::new(&token.at, format!("unexpected {what} in {place}"))
}
