//! A tree to bytes.
use super::budget::{Budget, MAX_DEPTH};
use super::builtin::{self, Function};
use super::fault::Fault;
use super::print::{Buffer, TOO_LARGE, print};
use super::tree::{At, Branch, Command, Node, Operand, Pipe, Term, Tree};
use super::value::Value;

/// What a template finds around it.
pub(crate) trait World {
    /// What is left of what a rendering may cost.
    fn budget(&mut self) -> &mut Budget;

    /// What a function takes, if there is one of that name.
    fn function(&self, name: &str) -> Option<Function>;

    /// Calls it.
    fn call(&mut self, name: &str, args: &[Value]) -> Result<Value, String>;

    /// Calls a method of the scratch.
    fn scratch(&mut self, method: &str, args: &[Value]) -> Result<Value, String>;
}

/// What becomes of a name that a map does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingKey {
    Zero,
    Error,
}

/// Renders a template.
pub(crate) fn execute(
    tree: &Tree,
    missing_key: MissingKey,
    world: &mut dyn World,
) -> Result<Vec<u8>, Fault> {
    let mut execution = Execution {
        tree,
        missing_key,
        world,
        variables: vec![("$", Value::Missing)],
        depth: 0,
        to: Buffer::default(),
    };
    execution.walk(&Value::Missing, &tree.main)?;
    let end = execution.to.finish();
    end.map_err(|what| Fault::new(&(0..0), what))
}

struct Execution<'t, 'w> {
    tree: &'t Tree,
    missing_key: MissingKey,
    world: &'w mut dyn World,
    variables: Vec<(&'t str, Value)>,
    depth: usize,
    to: Buffer,
}

/// Where a list of nodes was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> Execution<'t, '_> {
    fn spend(&mut self, bytes: usize, at: &At) -> Result<(), Fault> {
        self.world
            .budget()
            .spend(bytes)
            .map_err(|what| Fault::new(at, what))
    }

    fn enter<T>(
        &mut self,
        at: &At,
        act: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::new(at, "exceeded maximum template depth"));
        }
        let result = act(self);
        self.depth -= 1;
        result
    }

    fn walk(&mut self, dot: &Value, nodes: &'t [Node]) -> Result<Flow, Fault> {
        for node in nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Value, node: &'t Node) -> Result<Flow, Fault> {
        self.spend(0, &(0..0))?;
        match node {
            Node::Text(text) => {
                self.to.push(text);
                self.bounded(&(0..0))
            }
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    match value {
                        Value::Missing | Value::Nil => self.to.push("<no value>"),
                        value => print(&value, &mut self.to),
                    }
                }
                self.bounded(&pipe.at)
            }
            Node::Break => Ok(Flow::Break),
            Node::Continue => Ok(Flow::Continue),
            Node::If(branch) => self.scope(&branch.pipe.at, |this| this.either(dot, branch, false)),
            Node::With(branch) => {
                self.scope(&branch.pipe.at, |this| this.either(dot, branch, true))
            }
            Node::Range(branch) => self.scope(&branch.pipe.at, |this| this.range(dot, branch)),
            Node::Template { at, name, pipe } => self.template(dot, at, name, pipe.as_ref()),
        }
    }

    fn bounded(&self, at: &At) -> Result<Flow, Fault> {
        if self.to.is_over() {
            return Err(Fault::new(at, TOO_LARGE));
        }
        Ok(Flow::Next)
    }

    /// Forgets the variables of what it does.
    fn scope(
        &mut self,
        at: &At,
        act: impl FnOnce(&mut Self) -> Result<Flow, Fault>,
    ) -> Result<Flow, Fault> {
        let outer = self.variables.len();
        let flow = self.enter(at, act);
        self.variables.truncate(outer);
        flow
    }

    fn either(&mut self, dot: &Value, branch: &'t Branch, moves: bool) -> Result<Flow, Fault> {
        let value = self.pipe(dot, &branch.pipe)?;
        match (&branch.otherwise, value.truth()) {
            (_, true) => self.walk(if moves { &value } else { dot }, &branch.body),
            (Some(otherwise), false) => self.walk(dot, otherwise),
            (None, false) => Ok(Flow::Next),
        }
    }

    fn range(&mut self, dot: &Value, branch: &'t Branch) -> Result<Flow, Fault> {
        let at = &branch.pipe.at;
        let ran = match self.pipe(dot, &branch.pipe)? {
            Value::List(list) => {
                for (index, item) in list.items.iter().enumerate() {
                    let index = Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
                    if self.turn(branch, index, item)? == Flow::Break {
                        break;
                    }
                }
                !list.items.is_empty()
            }
            Value::Map(map) => {
                for (name, item) in &map.entries {
                    if self.turn(branch, Value::text(name), item)? == Flow::Break {
                        break;
                    }
                }
                !map.entries.is_empty()
            }
            Value::Int(end) => self.count(branch, end)?,
            Value::Uint(end) => self.count(branch, i64::try_from(end).unwrap_or(i64::MAX))?,
            Value::Missing | Value::Nil => false,
            other => {
                let what = format!("range can't iterate over a {}", other.type_name());
                return Err(Fault::new(at, what));
            }
        };
        match &branch.otherwise {
            Some(otherwise) if !ran => self.walk(dot, otherwise),
            _ => Ok(Flow::Next),
        }
    }

    fn count(&mut self, branch: &'t Branch, end: i64) -> Result<bool, Fault> {
        if branch.pipe.variables.len() > 1 {
            let what = format!("can't use {end} to iterate over more than one variable");
            return Err(Fault::new(&branch.pipe.at, what));
        }
        for number in 0..end {
            let number = Value::Int(number);
            if self.turn(branch, Value::Missing, &number)? == Flow::Break {
                break;
            }
        }
        Ok(end > 0)
    }

    /// One turn of a loop.
    fn turn(&mut self, branch: &'t Branch, index: Value, item: &Value) -> Result<Flow, Fault> {
        let at = &branch.pipe.at;
        self.spend(index.weight(), at)?;
        let values = match branch.pipe.variables.len() {
            0 => vec![],
            1 => vec![item.clone()],
            _ => vec![index, item.clone()],
        };
        let inner = self.variables.len();
        for (name, value) in branch.pipe.variables.iter().zip(values) {
            if branch.pipe.assigns {
                self.assign(name, value, at)?;
            } else {
                // Those that the pipeline declared keep its value; these stand before them.
                self.variables.push((name, value));
            }
        }
        let flow = self.walk(item, &branch.body);
        self.variables.truncate(inner);
        flow
    }

    fn assign(&mut self, name: &str, value: Value, at: &At) -> Result<(), Fault> {
        match self
            .variables
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == name)
        {
            Some((_, known)) => {
                *known = value;
                Ok(())
            }
            None => Err(Fault::new(at, format!("undefined variable: {name}"))),
        }
    }

    fn template(
        &mut self,
        dot: &Value,
        at: &At,
        name: &str,
        pipe: Option<&'t Pipe>,
    ) -> Result<Flow, Fault> {
        let tree = self.tree;
        let Some(body) = tree.defined.get(name) else {
            return Err(Fault::new(at, format!("template {name:?} not defined")));
        };
        let dot = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Missing,
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let flow = self.enter(at, |this| this.walk(&dot, body));
        self.variables = outer;
        flow.map(|_| Flow::Next)
    }

    fn pipe(&mut self, dot: &Value, pipe: &'t Pipe) -> Result<Value, Fault> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(match self.command(dot, command, value)? {
                Value::Nil => Value::Missing,
                value => value,
            });
        }
        let value = value.unwrap_or(Value::Missing);
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone(), &pipe.at)?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        dot: &Value,
        command: &'t Command,
        last: Option<Value>,
    ) -> Result<Value, Fault> {
        let Some((first, args)) = command.operands.split_first() else {
            return Ok(Value::Missing);
        };
        self.spend(0, &first.at)?;
        match &first.term {
            Term::Function(name) => self.function(dot, first, name, args, last),
            Term::Chain(inner, names) => {
                let receiver = self.operand(dot, inner)?;
                self.fields(dot, receiver, names, first, args, last)
            }
            Term::Nil => Err(Fault::new(&first.at, "nil is not a command")),
            _ if args.is_empty() && last.is_none() => self.operand(dot, first),
            Term::Field(names) => self.fields(dot, dot.clone(), names, first, args, last),
            Term::Variable(name, names) if !names.is_empty() => {
                let receiver = self.variable(name, &first.at)?;
                self.fields(dot, receiver, names, first, args, last)
            }
            _ => Err(Fault::new(&first.at, "can't give argument to non-function")),
        }
    }

    /// The value of an operand that is given nothing.
    fn operand(&mut self, dot: &Value, operand: &'t Operand) -> Result<Value, Fault> {
        let at = &operand.at;
        match &operand.term {
            Term::Dot => Ok(dot.clone()),
            Term::Nil => Ok(Value::Nil),
            Term::Literal(value) => Ok(value.clone()),
            Term::Field(names) => self.fields(dot, dot.clone(), names, operand, &[], None),
            Term::Variable(name, names) => {
                let receiver = self.variable(name, at)?;
                self.fields(dot, receiver, names, operand, &[], None)
            }
            Term::Function(name) => self.function(dot, operand, name, &[], None),
            Term::Pipe(pipe) => self.enter(at, |this| this.pipe(dot, pipe)),
            Term::Chain(inner, names) => {
                let receiver = self.operand(dot, inner)?;
                self.fields(dot, receiver, names, operand, &[], None)
            }
        }
    }

    fn variable(&self, name: &str, at: &At) -> Result<Value, Fault> {
        let found = self
            .variables
            .iter()
            .rev()
            .find(|(known, _)| *known == name);
        found
            .map(|(_, value)| value.clone())
            .ok_or_else(|| Fault::new(at, format!("undefined variable: {name}")))
    }

    /// Fields of fields; the last one takes the arguments, if it is a method.
    fn fields(
        &mut self,
        dot: &Value,
        receiver: Value,
        names: &'t [String],
        operand: &Operand,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Fault> {
        let at = &operand.at;
        let mut value = receiver;
        for (index, name) in names.iter().enumerate() {
            let is_last = index + 1 == names.len();
            if matches!(value, Value::Scratch) {
                let args = if is_last { args } else { &[] };
                let last = if is_last { last.clone() } else { None };
                value = self.method(dot, name, at, args, last)?;
                continue;
            }
            if is_last && (!args.is_empty() || last.is_some()) {
                let what = format!("{name} is not a method but has arguments");
                return Err(Fault::new(at, what));
            }
            let field = self.field(&value, name);
            value = field.map_err(|what| Fault::new(at, what))?;
        }
        Ok(value)
    }

    fn field(&self, value: &Value, name: &str) -> Result<Value, String> {
        match value {
            Value::Map(map) => match map.entries.get(name) {
                Some(value) => Ok(value.clone()),
                None if self.missing_key == MissingKey::Zero => Ok(map.zero.clone()),
                None => Err(format!("map has no entry for key {name:?}")),
            },
            Value::Missing if self.missing_key == MissingKey::Zero => Ok(Value::Missing),
            Value::Missing => Err(format!("nil data; no entry for key {name:?}")),
            Value::Nil => Err(format!("nil pointer evaluating interface {{}}.{name}")),
            other => Err(format!(
                "can't evaluate field {name} in type {}",
                other.type_name()
            )),
        }
    }

    fn method(
        &mut self,
        dot: &Value,
        name: &str,
        at: &At,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Fault> {
        let args = self.args(dot, args, last)?;
        // A method looks at the names that it is given; what else it does, it takes note of itself.
        self.spend(args.iter().map(Value::text_length).sum(), at)?;
        let result = self.world.scratch(name, &args);
        result.map_err(|what| failed(at, name, &what))
    }

    fn args(
        &mut self,
        dot: &Value,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Vec<Value>, Fault> {
        let mut values = Vec::with_capacity(args.len() + 1);
        for arg in args {
            self.spend(0, &arg.at)?;
            values.push(self.operand(dot, arg)?);
        }
        values.extend(last);
        Ok(values)
    }

    fn function(
        &mut self,
        dot: &Value,
        operand: &Operand,
        name: &str,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Fault> {
        let at = &operand.at;
        let own = builtin::function(name);
        let known = own.or_else(|| self.world.function(name));
        let Some(function) = known else {
            return Err(Fault::new(
                at,
                format!("{name:?} is not a defined function"),
            ));
        };
        function
            .counted(name, args.len() + usize::from(last.is_some()))
            .map_err(|what| Fault::new(at, what))?;
        if matches!(name, "and" | "or") {
            return self.short_circuit(dot, name == "or", args, last);
        }
        let values = self.args(dot, args, last)?;
        for (index, value) in values.iter().enumerate() {
            let place = args.get(index).map_or(at, |arg| &arg.at);
            function
                .typed(index, value)
                .map_err(|what| Fault::new(place, what))?;
        }
        if builtin::only_looks(name) {
            self.spend(values.iter().map(Value::text_length).sum(), at)?;
            let result = builtin::call(name, &values);
            return result.map_err(|what| failed(at, name, &what));
        }
        self.spend(values.iter().map(Value::weight).sum(), at)?;
        let result = match own {
            Some(_) => builtin::call(name, &values),
            None => self.world.call(name, &values),
        };
        let value = result.map_err(|what| failed(at, name, &what))?;
        // Somebody has made it, and somebody will walk through it.
        self.spend(value.weight(), at)?;
        Ok(value)
    }

    /// The first argument that settles it; those behind it are not looked at.
    fn short_circuit(
        &mut self,
        dot: &Value,
        wanted: bool,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Fault> {
        let mut value = Value::Missing;
        for arg in args {
            value = self.operand(dot, arg)?;
            if value.truth() == wanted {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }
}

fn failed(at: &At, name: &str, what: &str) -> Fault {
    Fault::new(at, format!("error calling {name}: {what}"))
}
