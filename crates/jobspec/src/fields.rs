//! What a block holds: known names only, each once.

use std::collections::BTreeMap;

use hcl_edit::structure::{Attribute, Block, Body, Structure};

use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::eval::span;
use crate::report::Report;
use crate::schema::Schema;
use crate::{Span, Spanned};

/// The known arguments and blocks of a body.
pub(crate) struct Fields<'a> {
    attributes: BTreeMap<&'a str, &'a Attribute>,
    blocks: Vec<&'a Block>,
    header: Span,
}

impl<'a> Fields<'a> {
    /// Sorts a body by name and reports every name that is not read.
    pub(crate) fn of(
        body: &'a Body,
        header: Span,
        schema: &Schema,
        report: &mut Report<'_>,
    ) -> Self {
        let mut fields = Self::none(header);
        for structure in body {
            fields.add(structure, schema, report);
        }
        fields
    }

    /// The same, where a name that is for later is let through: it comes back with its place.
    pub(crate) fn passing(
        body: &'a Body,
        header: Span,
        schema: &Schema,
        report: &mut Report<'_>,
    ) -> (Self, Vec<Spanned<String>>) {
        let mut fields = Self::none(header);
        let mut passed = Vec::new();
        for structure in body {
            let key = match structure {
                Structure::Attribute(attribute) => &*attribute.key,
                Structure::Block(block) => &*block.ident,
            };
            if schema.is_later(key.as_str()) {
                passed.push(Spanned {
                    value: key.as_str().to_owned(),
                    span: match structure {
                        Structure::Attribute(attribute) => span(&attribute.key),
                        Structure::Block(block) => self::header(block),
                    },
                });
            } else {
                fields.add(structure, schema, report);
            }
        }
        (fields, passed)
    }

    fn none(header: Span) -> Self {
        Self {
            attributes: BTreeMap::new(),
            blocks: Vec::new(),
            header,
        }
    }

    fn add(&mut self, structure: &'a Structure, schema: &Schema, report: &mut Report<'_>) {
        match structure {
            Structure::Attribute(attribute) => self.attribute(attribute, schema, report),
            Structure::Block(block) => self.block_of(block, schema, report),
        }
    }

    fn attribute(&mut self, attribute: &'a Attribute, schema: &Schema, report: &mut Report<'_>) {
        let name = attribute.key.as_str();
        let place = span(&attribute.key);
        if schema.arguments.contains(&name) {
            if let Some(before) = self.place_of(name) {
                duplicate(name, place, &before, report);
            } else {
                self.attributes.insert(name, attribute);
            }
        } else if schema.later_arguments.contains(&name) {
            let detail = format!("The argument \"{name}\" is not supported yet.");
            report.error(NOT_SUPPORTED_YET, place, detail);
        } else {
            let detail = format!(
                "An argument named \"{}\" is not expected here.",
                crate::agent::written(name, &place, report)
            );
            if schema.is_block(name) {
                let way_out =
                    format!("{detail} Did you mean to define a block of type \"{name}\"?");
                report.error(UNSUPPORTED_ARGUMENT, place, way_out);
            } else {
                unknown(
                    UNSUPPORTED_ARGUMENT,
                    place,
                    detail,
                    schema.nearest_argument(name),
                    report,
                );
            }
        }
    }

    fn block_of(&mut self, block: &'a Block, schema: &Schema, report: &mut Report<'_>) {
        let name = block.ident.as_str();
        let place = span(&block.ident);
        if let Some(nested) = schema.block(name) {
            match self.place_of(name) {
                Some(before) if !nested.many => duplicate(name, place, &before, report),
                _ => self.blocks.push(block),
            }
        } else if schema.later_blocks.contains(&name) {
            let detail = format!("The block \"{name}\" is not supported yet.");
            report.error(NOT_SUPPORTED_YET, place, detail);
        } else {
            let detail = format!("Blocks of type \"{name}\" are not expected here.");
            if schema.is_argument(name) {
                let way_out = format!(
                    "{detail} Did you mean to define argument \"{name}\"? If so, use the equals sign to assign it a value."
                );
                report.error(UNSUPPORTED_BLOCK, place, way_out);
            } else {
                unknown(
                    UNSUPPORTED_BLOCK,
                    place,
                    detail,
                    schema.nearest_block(name),
                    report,
                );
            }
        }
    }

    fn place_of(&self, name: &str) -> Option<Span> {
        let argument = self
            .attributes
            .get(name)
            .map(|attribute| span(&attribute.key));
        argument.or_else(|| self.block(name).map(header))
    }

    /// The block of that name, if there may be one only.
    pub(crate) fn block(&self, name: &str) -> Option<&'a Block> {
        self.blocks
            .iter()
            .find(|block| block.ident.as_str() == name)
            .copied()
    }

    /// The blocks in the order of the file.
    pub(crate) fn blocks(&self) -> &[&'a Block] {
        &self.blocks
    }

    /// Where the block of these fields is.
    pub(crate) fn header(&self) -> Span {
        self.header.clone()
    }

    pub(crate) fn argument(&self, name: &str) -> Option<&'a Attribute> {
        self.attributes.get(name).copied()
    }
}

/// The place of a block's type and labels.
pub(crate) fn header(block: &Block) -> Span {
    let start = span(&block.ident);
    let end = block
        .labels
        .last()
        .map_or(start.end, |label| span(label).end);
    start.start..end
}

/// A block as messages name it: `task "python"`.
pub(crate) fn title(block: &Block) -> String {
    let labels = block
        .labels
        .iter()
        .map(|label| format!(" \"{}\"", label.as_str()));
    labels.fold(block.ident.as_str().to_owned(), |title, label| {
        title + &label
    })
}

/// Reports a name that is there twice.
pub(crate) fn duplicate(name: &str, place: Span, before: &Span, report: &mut Report<'_>) {
    let detail = format!(
        "Only one \"{name}\" is allowed here. The previous definition was at {}.",
        report.place(before)
    );
    let summary = format!("Duplicate {name} block");
    report.add(Diagnostic::new(DUPLICATE_BLOCK, place, detail).summary(summary));
}

fn unknown(
    code: Code,
    place: Span,
    mut detail: String,
    nearest: Option<&str>,
    report: &mut Report<'_>,
) {
    if let Some(name) = nearest {
        detail += &format!(" Did you mean \"{name}\"?");
    }
    let mut diagnostic = Diagnostic::new(code, place, detail);
    diagnostic.fix = nearest.map(str::to_owned);
    report.add(diagnostic);
}
