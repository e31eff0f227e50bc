//! Encodings and sums.
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::super::go::{Parameter, Value};
use super::{Entry, bytes, entry, json, toml, word, yaml, yaml_write};
use crate::digits::hex;

use Parameter::{Any, Text};

pub(super) const TABLE: &[Entry] = &[
    entry("base64Decode", &[Text], None, |_, args| {
        decoded("base64Decode", &STANDARD, args)
    }),
    entry("base64Encode", &[Text], None, |_, args| {
        Ok(Value::text(STANDARD.encode(bytes(args, 0))))
    }),
    entry("base64URLDecode", &[Text], None, |_, args| {
        decoded("base64URLDecode", &URL_SAFE, args)
    }),
    entry("base64URLEncode", &[Text], None, |_, args| {
        Ok(Value::text(URL_SAFE.encode(bytes(args, 0))))
    }),
    entry("sha256Hex", &[Text], None, |_, args| {
        Ok(Value::text(hex(&Sha256::digest(bytes(args, 0)))))
    }),
    entry("md5sum", &[Text], None, |_, args| {
        Ok(Value::text(hex(&Md5::digest(bytes(args, 0)))))
    }),
    entry("hmacSHA256Hex", &[Text, Text], None, |_, args| hmac(args)),
    entry("parseJSON", &[Text], None, |_, args| match bytes(args, 0) {
        b"" => Value::map(Default::default()),
        text => json::parse(text),
    }),
    entry("parseYAML", &[Text], None, |_, args| {
        match &*word(args, 0) {
            "" => Value::map(Default::default()),
            text => yaml::parse(text),
        }
    }),
    entry("toJSON", &[Any], None, |_, args| {
        json::write(
            args,
            json::Form {
                html: true,
                pretty: false,
            },
        )
    }),
    entry("toJSONPretty", &[Any], None, |_, args| {
        json::write(
            args,
            json::Form {
                html: true,
                pretty: true,
            },
        )
    }),
    entry("toUnescapedJSON", &[Any], None, |_, args| {
        json::write(
            args,
            json::Form {
                html: false,
                pretty: false,
            },
        )
    }),
    entry("toUnescapedJSONPretty", &[Any], None, |_, args| {
        json::write(
            args,
            json::Form {
                html: false,
                pretty: true,
            },
        )
    }),
    entry("toTOML", &[Any], None, |_, args| toml::write(&args[0])),
    entry("toYAML", &[Any], None, |_, args| {
        yaml_write::write(&args[0])
    }),
];

fn decoded(name: &str, engine: &impl Engine, args: &[Value]) -> Result<Value, String> {
    // Go's decoder passes over line ends.
    let text: Vec<u8> = bytes(args, 0)
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    let decoded = engine.decode(text);
    decoded
        .map(Value::text)
        .map_err(|error| format!("{name}: illegal base64 data: {error}"))
}

fn hmac(args: &[Value]) -> Result<Value, String> {
    let (message, key) = (bytes(args, 0), bytes(args, 1));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    mac.update(message);
    Ok(Value::text(hex(&mac.finalize().into_bytes())))
}
