//! Any bytes as what Nomad's client sends for a plugin's or a task's configuration, held against every table of options.
#![no_main]

use driver::Kind;
use driver::options::{decode, from_msgpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(values) = from_msgpack(bytes) else {
        return;
    };
    for kind in [Kind::Exec, Kind::Exec2] {
        for table in [kind.task_options(), kind.operator_options()] {
            match decode(table, &values) {
                Ok(options) => assert!(
                    options
                        .keys()
                        .all(|name| table.iter().any(|option| option.name == name))
                ),
                Err(mistakes) => assert!(mistakes.iter().all(|mistake| !mistake.reason.is_empty())),
            }
        }
    }
});
