//! Option tables → the description that the agent makes its decoder of.
use std::collections::BTreeMap;

use driver::options::{Kind, Opt};

use crate::proto::hclspec::spec::Block;
use crate::proto::hclspec::{Attr, BlockAttrs, Default as WithDefault, Literal, Object, Spec};

/// Describes a block with these options.
pub fn of(options: &[Opt]) -> Spec {
    let attributes: BTreeMap<_, _> = options
        .iter()
        .map(|opt| (opt.name.to_owned(), with_default(opt)))
        .collect();
    spec(Block::Object(Object { attributes }))
}

fn with_default(opt: &Opt) -> Spec {
    match opt.default {
        None => plain(opt),
        Some(expression) => spec(Block::Default(Box::new(WithDefault {
            primary: Some(Box::new(plain(opt))),
            default: Some(Box::new(spec(Block::Literal(Literal {
                value: expression.to_owned(),
            })))),
        }))),
    }
}

/// The name is always set: below a default it is not taken from the object's key.
fn plain(opt: &Opt) -> Spec {
    let (name, required) = (opt.name.to_owned(), opt.required);
    match wire_type(opt.kind) {
        Some(r#type) => spec(Block::Attr(Attr {
            name,
            r#type: r#type.to_owned(),
            required,
        })),
        // Takes `x { a = "b" }` and `x = { a = "b" }`; an attribute of type map(string) takes the second only.
        None => spec(Block::BlockAttrs(BlockAttrs {
            name,
            r#type: "string".to_owned(),
            required,
        })),
    }
}

/// `None`: a block of strings.
fn wire_type(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::String => Some("string"),
        Kind::Bool => Some("bool"),
        Kind::Integer => Some("number"),
        Kind::Strings => Some("list(string)"),
        Kind::StringMap => None,
    }
}

fn spec(block: Block) -> Spec {
    Spec { block: Some(block) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opt(name: &'static str, kind: Kind, default: Option<&'static str>) -> Opt {
        Opt {
            name,
            kind,
            required: default.is_none(),
            default,
        }
    }

    fn attributes(options: &[Opt]) -> BTreeMap<String, Spec> {
        match of(options).block {
            Some(Block::Object(object)) => object.attributes,
            other => panic!("not an object: {other:?}"),
        }
    }

    #[test]
    fn an_option_without_default_is_an_attribute() {
        let attributes = attributes(&[opt("args", Kind::Strings, None)]);
        let want = Attr {
            name: "args".into(),
            r#type: "list(string)".into(),
            required: true,
        };
        assert_eq!(attributes["args"].block, Some(Block::Attr(want)));
    }

    #[test]
    fn a_default_names_its_attribute_and_keeps_the_expressions_source() {
        let attributes = attributes(&[opt("default_pid_mode", Kind::String, Some("\"private\""))]);
        let Some(Block::Default(default)) = &attributes["default_pid_mode"].block else {
            panic!("no default")
        };
        let name = default
            .primary
            .as_ref()
            .and_then(|primary| match &primary.block {
                Some(Block::Attr(attr)) => Some(attr.name.as_str()),
                _ => None,
            });
        assert_eq!(name, Some("default_pid_mode"));
        let literal = default.default.as_ref().and_then(|spec| spec.block.clone());
        assert_eq!(
            literal,
            Some(Block::Literal(Literal {
                value: "\"private\"".into()
            }))
        );
    }

    #[test]
    fn a_map_of_strings_takes_both_spellings() {
        let attributes = attributes(&[opt("chroot_env", Kind::StringMap, None)]);
        assert!(
            matches!(&attributes["chroot_env"].block, Some(Block::BlockAttrs(block)) if block.r#type == "string")
        );
    }
}
