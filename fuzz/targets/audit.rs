//! Any bytes as a record of kernel audit: a datagram of the kernel's, with names that somebody else has chosen.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sandbox::audit::{Object, Record, parse};

fuzz_target!(|datagram: &[u8]| {
    let [kind, body @ ..] = datagram else { return };
    let kinds = [1335, 1423, 1424, 1300];
    match parse(kinds[usize::from(*kind) % kinds.len()], body) {
        Some(Record::Access(access)) => {
            assert!(!access.blockers.is_empty());
            if let Object::Path(path) = access.object {
                assert!(path.is_absolute());
            }
        }
        Some(_) | None => {}
    }
});
