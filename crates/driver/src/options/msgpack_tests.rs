//! Bytes that a real Nomad sent, read and broken.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::tests::bytes;
use super::{Value, Values, from_msgpack};

/// One in each line, behind a comment.
const VECTORS: &str = include_str!("vectors.tsv");

/// Value and bytes.
fn vectors() -> Vec<(serde_json::Value, Vec<u8>)> {
    let lines = VECTORS.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let mut columns = line.split('\t').skip(1);
        let value = serde_json::from_str(columns.next().unwrap()).unwrap();
        (value, bytes(columns.next().unwrap()))
    };
    lines.map(read).collect()
}

fn json(value: Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => value.into(),
        Value::Number(number) => number.into(),
        Value::String(text) => text.into(),
        Value::List(values) => values.into_iter().map(json).collect(),
        Value::Map(values) => object(values),
    }
}

fn object(values: Values) -> serde_json::Value {
    let entries = values.into_iter().map(|(key, value)| (key, json(value)));
    serde_json::Value::Object(entries.collect())
}

/// As 64-bit floats, which is how options are compared.
fn floats(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().into(),
        serde_json::Value::Array(values) => values.into_iter().map(floats).collect(),
        serde_json::Value::Object(values) => {
            let entries = values.into_iter().map(|(key, value)| (key, floats(value)));
            serde_json::Value::Object(entries.collect())
        }
        other => other,
    }
}

#[test]
fn what_nomad_sends_is_what_it_meant() {
    let vectors = vectors();
    assert!(vectors.len() > 50, "{}", vectors.len());
    for (value, sent) in vectors {
        match from_msgpack(&sent) {
            Ok(values) => assert_eq!(object(values), floats(value)),
            // No option is more than a map of them.
            Err(error) => assert!(!value.is_object(), "{value}: {error}"),
        }
    }
}

#[test]
fn what_breaks_off_is_an_error() {
    for (value, sent) in vectors() {
        for length in 1..sent.len() {
            assert!(
                from_msgpack(&sent[..length]).is_err(),
                "{length} of {value}"
            );
        }
    }
}

/// Lengths without end, other types, extensions: whatever comes of it, it comes at once.
#[test]
fn any_byte_may_be_any_other() {
    for (_, mut sent) in vectors() {
        for at in 0..sent.len() {
            let right = sent[at];
            for wrong in 0..=u8::MAX {
                sent[at] = wrong;
                let _ = from_msgpack(&sent);
            }
            sent[at] = right;
        }
    }
}
