//! RSA decryption as `rsadecrypt` needs it: PKCS #1 v1.5 with a PEM key.
//!
//! The one crate for it has an open advisory, for the time that it takes betrays a key to whoever can ask it again and again. Here the
//! author of a job decrypts something once with a key of their own, and a power modulo a number is all there is to it.

use num_bigint::BigUint;

use super::encoding::of_base64;
use crate::call::{Call, Failure, failed};

const BEGIN: &str = "-----BEGIN RSA PRIVATE KEY-----";
const END: &str = "-----END RSA PRIVATE KEY-----";
const WRONG: &str = "crypto/rsa: decryption error";
/// Larger keys than anybody has.
const MAX_BYTES: usize = 1024;
/// Decrypts base64 text.
pub(super) fn decrypted(
    ciphertext: &str,
    key: &str,
    call: &mut Call<'_, '_>,
) -> Result<String, Failure> {
    let bytes = of_base64(ciphertext).ok_or_else(|| {
        format!("failed to decode input {ciphertext:?}: cipher text must be base64-encoded")
    })?;
    let key = Key::parse(key)?;
    let length = usize::try_from(key.modulus.bits().div_ceil(8)).unwrap_or(usize::MAX);
    let number = BigUint::from_bytes_be(&bytes);
    if length > MAX_BYTES || bytes.len() != length || number >= key.modulus {
        return failed(WRONG);
    }
    // As many as a file may have take some seconds, whatever the length of the key.
    call.spend(length.pow(3) >> 9)?;
    let plain = number.modpow(&key.exponent, &key.modulus).to_bytes_be();
    let Some(message) = unpadded(&plain, length) else {
        return failed(WRONG);
    };
    String::from_utf8(message.to_vec()).or_else(|_| failed("the decrypted text is not valid UTF-8"))
}

/// `00 02`, eight bytes or more that are not zero, `00`, and the message. The number has lost its first zero.
fn unpadded(plain: &[u8], length: usize) -> Option<&[u8]> {
    let padding = plain
        .strip_prefix(&[2])
        .filter(|_| plain.len() + 1 == length)?;
    let zero = padding.iter().position(|&byte| byte == 0)?;
    (zero >= 8).then(|| &padding[zero + 1..])
}

struct Key {
    modulus: BigUint,
    exponent: BigUint,
}

impl Key {
    fn parse(pem: &str) -> Result<Self, String> {
        let body = pem
            .split_once(BEGIN)
            .and_then(|(_, rest)| rest.split_once(END));
        let (body, _) = body.ok_or_else(|| "failed to parse key: no key found".to_owned())?;
        if body.contains("Proc-Type: 4,ENCRYPTED") {
            return Err("failed to parse key: password protected keys are not supported. Please decrypt the key prior to use".to_owned());
        }
        let dense: String = body.split_whitespace().collect();
        of_base64(&dense)
            .and_then(|der| Self::of_der(&der))
            .ok_or_else(|| "failed to parse key: it is no RSA private key".to_owned())
    }

    /// A sequence of integers: version, modulus, public exponent, private exponent, and what makes it faster.
    fn of_der(der: &[u8]) -> Option<Self> {
        let (mut rest, _) = item(der, 0x30)?;
        let mut numbers = Vec::new();
        for _ in 0..4 {
            let (number, after) = item(rest, 0x02)?;
            numbers.push(BigUint::from_bytes_be(number));
            rest = after;
        }
        let (exponent, modulus) = (numbers.pop()?, numbers.swap_remove(1));
        // A product of two large primes is odd; with another one a power takes three times as long.
        let sound = modulus.bit(0) && exponent < modulus;
        sound.then_some(Key { modulus, exponent })
    }
}

/// The content of an item with that tag, and what comes behind it.
fn item(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[first, length], rest) = der.split_first_chunk::<2>()?;
    if first != tag {
        return None;
    }
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (bytes, rest) = rest
            .split_at_checked(usize::from(length & 0x7f))
            .filter(|(bytes, _)| bytes.len() <= 4)?;
        (
            bytes
                .iter()
                .fold(0, |length, &byte| length << 8 | usize::from(byte)),
            rest,
        )
    };
    rest.split_at_checked(length)
}
