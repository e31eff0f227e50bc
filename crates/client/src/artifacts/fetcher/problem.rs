//! Why something was not fetched. These are all the words that come out of the fetcher.
use std::io;

use driver::in_one_line;

use crate::artifacts::order::Sum;
use crate::artifacts::url::{self, Url};

/// One reason.
#[derive(Debug, thiserror::Error)]
pub(in crate::artifacts) enum Problem {
    /// Not one of our URLs.
    #[error(transparent)]
    Url(#[from] url::Problem),
    /// The order is unreadable: a bug.
    #[error("cannot read what is to be fetched: {0}")]
    Order(String),
    /// The server could not be asked.
    #[error("{0}")]
    Request(String),
    /// The server's certificate is none that is trusted here.
    #[error(
        "{0}; if the server's certificate is signed by a CA of your own, add that to the system's or name it with SSL_CERT_FILE"
    )]
    Certificate(String),
    /// It said no.
    #[error("bad response code: {0}")]
    Status(u16),
    /// It sent us elsewhere, to where we do not go.
    #[error("the server redirects to {to}: {reason}")]
    Redirect {
        /// Where to.
        to: String,
        /// Why not.
        reason: String,
    },
    /// It went on sending us elsewhere.
    #[error("stopped after 10 redirects")]
    Redirects,
    /// The answer broke off.
    #[error("the download broke off: {0}")]
    Read(String),
    /// The time is over.
    #[error("it took longer than http_read_timeout")]
    Late,
    /// Too much came, or was announced.
    #[error("it is larger than http_max_size, {limit} bytes")]
    LongDownload {
        /// The limit.
        limit: u64,
    },
    /// More than the disk should take.
    #[error("it needs more than the {room} bytes that the disk has left for it")]
    NoRoom {
        /// What is left.
        room: u64,
    },
    /// Another file than was meant.
    #[error(
        "Checksums did not match. Expected: {}:{} Got: {}:{got}",
        wanted.kind.name(), wanted.digits, wanted.kind.name()
    )]
    Sum {
        /// What was meant.
        wanted: Sum,
        /// What came.
        got: String,
    },
    /// A list of sums without end.
    #[error("the checksum file {url} is longer than 4 MiB")]
    LongList {
        /// The list.
        url: Url,
    },
    /// A list of sums without the file.
    #[error("no checksum found in: {url}")]
    NotListed {
        /// The list.
        url: Url,
    },
    /// Something could not be written.
    #[error("cannot write what came: {0}")]
    Write(String),
    /// An archive that is broken, or none.
    #[error("cannot unpack it: {0}")]
    Archive(String),
    /// An archive that is no archive of ours to unpack.
    #[error("the archive is refused: {0}")]
    Refused(String),
    /// An archive larger than allowed.
    #[error("the archive is refused: larger than decompression_size_limit, {limit} bytes")]
    LongArchive {
        /// The limit.
        limit: u64,
    },
    /// An archive of more files than allowed.
    #[error("the archive is refused: more entries than decompression_file_count_limit, {limit}")]
    ManyFiles {
        /// The limit.
        limit: u64,
    },
}

impl Problem {
    pub(super) fn order(error: io::Error) -> Problem {
        Problem::Order(error.to_string())
    }

    pub(super) fn read(error: io::Error) -> Problem {
        Problem::Read(in_one_line(&error))
    }

    pub(super) fn write(error: io::Error) -> Problem {
        Problem::Write(in_one_line(&error))
    }

    pub(super) fn archive(error: impl Into<io::Error>) -> Problem {
        Problem::Archive(in_one_line(&error.into()))
    }
}

impl From<io::Error> for Problem {
    /// From inside an archive's reader: what we said ourselves comes out again as it was.
    fn from(error: io::Error) -> Problem {
        match error.downcast::<Problem>() {
            Ok(ours) => ours,
            Err(other) => Problem::archive(other),
        }
    }
}

impl From<Problem> for io::Error {
    fn from(problem: Problem) -> io::Error {
        io::Error::other(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_survives_being_an_error_of_input() {
        let problem: Problem = io::Error::from(Problem::LongArchive { limit: 7 }).into();
        assert!(matches!(problem, Problem::LongArchive { limit: 7 }));
    }
}
