//! Errors on their way to Nomad.
//!
//! Every error is a plain status with code Unknown, as a Go driver's is. Unavailable and Canceled are never used: the client takes them
//! for the plugin's death and waits for it.
use std::error::Error;

use driver::in_one_line;
use prost::Message;
use tonic::{Code, Status};

use crate::log::shorten;
use crate::proto::{google, structs};

const RECOVERABLE: &str =
    "type.googleapis.com/hashicorp.nomad.plugins.shared.structs.RecoverableError";

/// What Go drivers say of an id they do not know.
pub(crate) fn unknown_task() -> Status {
    Status::unknown("task not found for given id")
}

/// A start that may succeed later is told from one that never will: the job's restart policy is for the former.
pub(crate) fn not_started(error: &driver::StartError) -> Status {
    if error.is_transient() {
        recoverable(shorten(&in_one_line(error)))
    } else {
        failed(error)
    }
}

/// An error with everything that it comes from.
pub(crate) fn failed(error: &dyn Error) -> Status {
    Status::unknown(shorten(&in_one_line(error)))
}

/// An error of StartTask after which the job's restart policy applies; a plain one fails the task for good.
pub fn recoverable(message: &str) -> Status {
    let detail = structs::RecoverableError { recoverable: true };
    let status = google::rpc::Status {
        // Must equal the status itself: grpc-go makes another, internal error of a difference.
        code: Code::FailedPrecondition as i32,
        message: message.to_owned(),
        details: vec![prost_types::Any {
            type_url: RECOVERABLE.to_owned(),
            value: detail.encode_to_vec(),
        }],
    };
    Status::with_details(
        Code::FailedPrecondition,
        message,
        status.encode_to_vec().into(),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("mount /proc")]
    struct Outer(#[source] std::io::Error);

    fn denied() -> Outer {
        Outer(std::io::Error::other("not permitted"))
    }

    #[test]
    fn a_status_has_the_whole_chain() {
        let status = failed(&denied());
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unknown, "mount /proc: not permitted")
        );
    }

    #[test]
    fn a_recoverable_error_decodes_from_its_details() {
        let status = recoverable("no uid is free");
        let inner = google::rpc::Status::decode(status.details()).unwrap();
        assert_eq!(
            (status.code() as i32, status.message()),
            (inner.code, inner.message.as_str())
        );
        assert_eq!(inner.details[0].type_url, RECOVERABLE);
        assert!(
            structs::RecoverableError::decode(inner.details[0].value.as_slice())
                .unwrap()
                .recoverable
        );
    }
}
