//! Digests, password hashes and UUIDs.

use sha2::Digest;
use uuid::Uuid;

use super::{Function, fixed, number, rsa, string, variadic};
use crate::call::{Call, Failure, failed, text, whole};
use crate::cty::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("md5", &[string("str")], |of, _| {
        Ok(digest::<md5::Md5>(&of[0]))
    }),
    fixed("sha1", &[string("str")], |of, _| {
        Ok(digest::<sha1::Sha1>(&of[0]))
    }),
    fixed("sha256", &[string("str")], |of, _| {
        Ok(digest::<sha2::Sha256>(&of[0]))
    }),
    fixed("sha512", &[string("str")], |of, _| {
        Ok(digest::<sha2::Sha512>(&of[0]))
    }),
    fixed(
        "rsadecrypt",
        &[string("ciphertext"), string("privatekey")],
        rsadecrypt,
    ),
    fixed("uuidv4", &[], |_, _| {
        Ok(Value::String(Uuid::new_v4().to_string()))
    }),
    fixed("uuidv5", &[string("namespace"), string("name")], uuidv5),
    variadic("bcrypt", &[string("str")], number("cost"), hashed),
];

fn digest<D: Digest>(of: &Value) -> Value {
    let bytes = D::digest(text(of).as_bytes());
    Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The namespaces that have names, and any UUID.
fn uuidv5(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let (space, name) = (text(&of[0]), text(&of[1]));
    let space = match space {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        "x500" => Uuid::NAMESPACE_X500,
        other => match Uuid::parse_str(other) {
            Ok(uuid) => uuid,
            Err(error) => {
                return failed(format!(
                    "uuidv5() doesn't support namespace {other} ({error})"
                ));
            }
        },
    };
    Ok(Value::String(
        Uuid::new_v5(&space, name.as_bytes()).to_string(),
    ))
}

const DEFAULT_COST: i64 = 10;
/// About a second; each more doubles it.
const MAX_COST: i64 = 14;
/// bcrypt reads no more of a password; longer ones are refused, not cut.
const MAX_PASSWORD: usize = 72;

fn hashed(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let cost = match of.get(1) {
        Some(_) if of.len() > 2 => return failed("bcrypt() takes no more than two arguments"),
        Some(cost) => whole(cost, 1)?,
        None => DEFAULT_COST,
    };
    let cost = match cost {
        ..4 => DEFAULT_COST,
        4..=MAX_COST => cost,
        15..=31 => {
            return failed(format!(
                "a cost of {cost} takes longer than a job file may; {MAX_COST} is the most"
            ));
        }
        _ => {
            return failed(format!(
                "cost {cost} is outside allowed inclusive range 4..31"
            ));
        }
    };
    let password = text(&of[0]);
    if password.len() > MAX_PASSWORD {
        return failed("password length exceeds 72 bytes");
    }
    call.spend(1024 << cost)?;
    let cost = u32::try_from(cost).unwrap_or_default();
    bcrypt::hash(password, cost)
        .map(Value::String)
        .or_else(|error| failed(error.to_string()))
}

fn rsadecrypt(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    rsa::decrypted(text(&of[0]), text(&of[1]), call).map(Value::String)
}
