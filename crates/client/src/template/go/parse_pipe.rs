//! Pipelines: variables, commands and operands.
use super::builtin;
use super::fault::Fault;
use super::parse::{Parser, unexpected};
use super::token::{Kind, Literal, Token};
use super::tree::{At, Command, Operand, Pipe, Term};

/// Words that are no functions.
const KEYWORDS: [&str; 10] = [
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];

impl Parser<'_> {
    /// A pipeline and the token that ends it.
    pub(super) fn pipe(&mut self, place: &str, end: &Kind) -> Result<Pipe, Fault> {
        self.skip_space();
        let mut pipe = Pipe {
            at: self.peek().at.clone(),
            ..Pipe::default()
        };
        self.declarations(place, &mut pipe)?;
        loop {
            self.skip_space();
            let token = self.peek().clone();
            match &token.kind {
                kind if kind == end => {
                    self.next += 1;
                    pipe.at.end = token.at.start.max(pipe.at.start);
                    check(&pipe, &token, place)?;
                    return Ok(pipe);
                }
                Kind::Word(_)
                | Kind::Field(_)
                | Kind::Variable(_)
                | Kind::Dot
                | Kind::Literal(_)
                | Kind::Open => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return Err(unexpected(&token, place)),
            }
        }
    }

    /// `$x :=`, `$x =` and, for `range`, `$i, $x :=`.
    fn declarations(&mut self, place: &str, pipe: &mut Pipe) -> Result<(), Fault> {
        loop {
            self.skip_space();
            let start = self.next;
            let Kind::Variable(name) = self.peek().kind.clone() else {
                return Ok(());
            };
            self.next += 1;
            self.skip_space();
            let token = self.peek().clone();
            match token.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assigns = token.kind == Kind::Assign;
                    self.next += 1;
                    self.declare(name, pipe);
                    return Ok(());
                }
                Kind::Char(',') => {
                    self.next += 1;
                    self.declare(name, pipe);
                    self.second(place, pipe, &token.at)?;
                }
                _ => {
                    self.next = start;
                    return Ok(());
                }
            }
        }
    }

    fn declare(&mut self, name: String, pipe: &mut Pipe) {
        self.variables.push(name.clone());
        pipe.variables.push(name);
    }

    /// Whether behind a comma there may be another variable.
    fn second(&mut self, place: &str, pipe: &Pipe, at: &At) -> Result<(), Fault> {
        if place != "range" || pipe.variables.len() > 1 {
            return Err(Fault::new(at, format!("too many declarations in {place}")));
        }
        self.skip_space();
        match self.peek().kind {
            Kind::Variable(_) | Kind::Right | Kind::Close => Ok(()),
            _ => Err(Fault::new(at, "range can only initialize variables")),
        }
    }

    fn command(&mut self) -> Result<Command, Fault> {
        let mut operands = Vec::new();
        loop {
            self.skip_space();
            let at = self.peek().at.clone();
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            let token = self.peek().clone();
            match token.kind {
                Kind::Space => continue,
                Kind::Right | Kind::Close => {}
                Kind::Pipe => self.next += 1,
                _ => return Err(unexpected(&token, "operand")),
            }
            if operands.is_empty() {
                return Err(Fault::new(&at, "empty command"));
            }
            return Ok(Command { operands });
        }
    }

    /// A term and the fields behind it.
    fn operand(&mut self) -> Result<Option<Operand>, Fault> {
        let Some(mut operand) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        while let Kind::Field(name) = &self.peek().kind {
            fields.push(name.clone());
            operand.at.end = self.peek().at.end;
            self.next += 1;
        }
        if fields.is_empty() {
            return Ok(Some(operand));
        }
        let at = operand.at.clone();
        let term = match operand.term {
            Term::Field(mut names) => {
                names.extend(fields);
                Term::Field(names)
            }
            Term::Variable(name, mut names) => {
                names.extend(fields);
                Term::Variable(name, names)
            }
            Term::Dot | Term::Nil | Term::Literal(_) => {
                return Err(Fault::new(&at, "unexpected . after term"));
            }
            term @ (Term::Function(_) | Term::Pipe(_) | Term::Chain(..)) => {
                let inner = Operand {
                    at: at.clone(),
                    term,
                };
                Term::Chain(Box::new(inner), fields)
            }
        };
        Ok(Some(Operand { at, term }))
    }

    fn term(&mut self) -> Result<Option<Operand>, Fault> {
        let Token { kind, at } = self.peek().clone();
        let term = match kind {
            Kind::Word(name) => self.function(name, &at)?,
            Kind::Dot => Term::Dot,
            Kind::Field(name) => Term::Field(vec![name]),
            Kind::Literal(Literal(value)) => Term::Literal(value),
            Kind::Variable(name) => {
                if !self.variables.contains(&name) {
                    return Err(Fault::new(&at, format!("undefined variable {name:?}")));
                }
                Term::Variable(name, Vec::new())
            }
            Kind::Open => {
                self.next += 1;
                let pipe = self.nest(&at, |parser| {
                    parser.pipe("parenthesized pipeline", &Kind::Close)
                })?;
                let at = at.start..pipe.at.end + 1;
                let term = Term::Pipe(Box::new(pipe));
                return Ok(Some(Operand { at, term }));
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(Operand { at, term }))
    }

    fn function(&mut self, name: String, at: &At) -> Result<Term, Fault> {
        if name == "nil" {
            return Ok(Term::Nil);
        }
        if KEYWORDS.contains(&name.as_str()) {
            return Err(Fault::new(at, format!("unexpected <{name}> in operand")));
        }
        if builtin::function(&name).is_none() && !(self.known)(&name) {
            return Err(Fault::new(at, format!("function {name:?} not defined")));
        }
        self.tree.calls.push((name.clone(), at.clone()));
        Ok(Term::Function(name))
    }
}

/// Only the first stage of a pipeline may be a mere value.
fn check(pipe: &Pipe, end: &Token, place: &str) -> Result<(), Fault> {
    let Some((_, stages)) = pipe.commands.split_first() else {
        return Err(Fault::new(&end.at, format!("missing value for {place}")));
    };
    for (index, stage) in stages.iter().enumerate() {
        if let Some(first) = stage.operands.first()
            && matches!(first.term, Term::Dot | Term::Nil | Term::Literal(_))
        {
            let what = format!("non executable command in pipeline stage {}", index + 2);
            return Err(Fault::new(&first.at, what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Delimiters, parse};

    fn fault(text: &str) -> String {
        let braces = Delimiters {
            left: "{{",
            right: "}}",
        };
        match parse(text, &braces, &|_| false) {
            Ok(_) => "accepted".to_owned(),
            Err(fault) => format!("{}: {}", &text[fault.at.clone()], fault.what),
        }
    }

    #[test]
    fn faults_have_their_place() {
        for (text, expected) in [
            (
                "a {{ nosuch 1 }}",
                "nosuch: function \"nosuch\" not defined",
            ),
            ("{{ $x }}", "$x: undefined variable \"$x\""),
            ("a\n{{ if 1 }} b", "{{ if: unclosed {{if}}: unexpected EOF"),
            ("{{ end }}", "{{ end: unexpected {{end}}"),
            ("{{ else }}", "{{ else: unexpected {{else}}"),
            ("{{ break }}", "{{ break: {{break}} outside {{range}}"),
            (
                "{{ 1 | 2 }}",
                "2: non executable command in pipeline stage 2",
            ),
            ("{{ }}", "}}: missing value for command"),
            ("{{ print (1 }}", "{{ print (1 : unclosed left paren"),
            ("{{ \"a }}", "\"a }}: unterminated quoted string"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }
}
