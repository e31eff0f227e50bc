//! Values from msgpack, the form in which Nomad hands over what it decoded by our schema.
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{Value, Values};

/// No schema of ours nests deeper than a few levels; a decoder that recurses for a stranger needs an end.
const MAX_DEPTH: usize = 32;

/// Bytes that are not the map of values that Nomad sends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MsgpackError {
    /// Not msgpack, too deep, or with an extension type (cty's unknown values are one).
    #[error("decode msgpack")]
    Decode(#[from] rmp_serde::decode::Error),
    /// Something follows the value.
    #[error("{0} bytes follow the msgpack value")]
    Trailing(usize),
    /// Not a map.
    #[error("expected a msgpack map, but have {0}")]
    NotAMap(&'static str),
}

/// Decodes what Nomad sends as `msgpack_config` or `msgpack_driver_config`. No bytes and nil are the empty map.
///
/// # Errors
/// When the bytes are anything but one map.
pub fn from_msgpack(bytes: &[u8]) -> Result<Values, MsgpackError> {
    if bytes.is_empty() {
        return Ok(Values::new());
    }
    let mut decoder = rmp_serde::Deserializer::new(std::io::Cursor::new(bytes));
    decoder.set_max_depth(MAX_DEPTH);
    let value = Value::deserialize(&mut decoder)?;
    let read = usize::try_from(decoder.get_ref().position()).unwrap_or(usize::MAX);
    match value {
        _ if read < bytes.len() => Err(MsgpackError::Trailing(bytes.len() - read)),
        Value::Map(map) => Ok(map),
        Value::Null => Ok(Values::new()),
        other => Err(MsgpackError::NotAMap(other.type_name())),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

// Integers beyond 2^53 lose digits here; no option takes one that large, and `decode` refuses them.
#[allow(clippy::cast_precision_loss, reason = "said above")]
impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("nil, a bool, a number, a string, an array or a map")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    // Old encoders write strings as raw bytes.
    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        let text = std::str::from_utf8(bytes).map_err(|_| E::custom("a string is not UTF-8"))?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("a key appears twice"));
            }
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
#[path = "msgpack_tests.rs"]
mod vectors;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    pub(super) fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn a(hex: &str) -> Value {
        from_msgpack(&bytes(hex)).unwrap().remove("a").unwrap()
    }

    // What Nomad's hcldec and cty really send, by form.
    #[test]
    fn every_form_that_nomad_sends_is_read() {
        let number = |hex, wanted| assert_eq!(a(hex), Value::Number(wanted), "{hex}");
        assert_eq!(a("81a161c0"), Value::Null);
        assert_eq!(a("81a161a178"), "x".into());
        number("81a16105", 5.0);
        number("81a161fb", -5.0);
        number("81a161ccc8", 200.0);
        number("81a161ce00011170", 70_000.0);
        number("81a161cf000000012a05f200", 5e9);
        number("81a161d2ffff63c0", -40_000.0);
        number("81a161cb3ff8000000000000", 1.5);
        assert_eq!(a("81a161a3302e31"), "0.1".into());
        assert_eq!(a("81a161c3"), Value::Bool(true));
        assert_eq!(
            a("81a16192a178c0"),
            Value::List(vec!["x".into(), Value::Null])
        );
        assert_eq!(
            a("81a16181a16ba176"),
            Value::Map(BTreeMap::from([("k".to_owned(), "v".into())]))
        );
        assert_eq!(a("81a161a2c3a9"), "é".into());
    }

    #[test]
    fn nothing_and_nil_are_the_empty_map() {
        assert_eq!(from_msgpack(&[]).unwrap(), Values::new());
        assert_eq!(from_msgpack(&bytes("c0")).unwrap(), Values::new());
        assert_eq!(from_msgpack(&bytes("80")).unwrap(), Values::new());
    }

    #[test]
    fn bad_bytes_are_errors_and_not_panics() {
        for hex in [
            "81a161d40000",
            "81a161",
            "92a178c0",
            "8080",
            "c1",
            "dfffffffff",
            "81a161c0a162",
            "82a161c0a161c0",
        ] {
            assert!(from_msgpack(&bytes(hex)).is_err(), "{hex}");
        }
        let deep = [&[0x81, 0xa1, 0x61][..], &[0x91; 10_000]].concat();
        assert!(from_msgpack(&deep).is_err());
    }

    #[test]
    fn a_whole_task_configuration_decodes() {
        let sent = bytes(
            "84a46172677391a137a7636f6d6d616e64aa2f62696e2f736c656570ad6f6f6d5f73636f72655f61646acd01f4a6756e7665696cc0",
        );
        let checked = crate::options::decode(
            crate::options::tables::EXEC2_TASK,
            &from_msgpack(&sent).unwrap(),
        )
        .unwrap();
        assert_eq!(checked["command"], "/bin/sleep".into());
        assert_eq!(checked["oom_score_adj"], Value::Number(500.0));
        assert!(!checked.contains_key("unveil"));
    }
}
