//! The shim's directory of one task.
use std::path::{Path, PathBuf};

use crate::api::Error;

/// Task ids hold `/` and are longer than the name of a socket may be (`sun_path`, unix(7)), so the name is a hash.
pub(crate) fn of(place: &Path, id: &str) -> PathBuf {
    place.join(format!("{:016x}", fnv1a(id.as_bytes())))
}

/// Removes one, with all that is recorded there. Idempotent.
pub(crate) fn remove(state: &Path) -> Result<(), Error> {
    shim::forget(state).map_err(|source| Error::Io {
        act: format!("remove the state directory {}", state.display()),
        source,
    })
}

/// FNV-1a, 64 bit.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(
            of(Path::new("/run/encamp"), "foobar"),
            Path::new("/run/encamp/85944171f73967e8")
        );
    }
}
