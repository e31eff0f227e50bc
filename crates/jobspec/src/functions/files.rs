//! Files, seen from the directory of the job file.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use super::encoding::base64;
use super::string::compiled;
use super::{Function, fixed, string};
use crate::call::{Call, Failure, failed, text};
use crate::cty::{Type, Value};
use crate::names::Functions;
use crate::syntax::MAX_BYTES;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("abspath", &[string("path")], abspath),
    fixed("basename", &[string("path")], |of, call| {
        base(call).map(|_| Value::String(basename(text(&of[0]))))
    }),
    fixed("dirname", &[string("path")], |of, call| {
        base(call).map(|_| Value::String(dirname(text(&of[0]))))
    }),
    fixed("file", &[string("path")], file),
    fixed("filebase64", &[string("path")], |of, call| {
        let bytes = read(text(&of[0]), call)?;
        Ok(Value::String(base64(&bytes)))
    }),
    fixed("fileexists", &[string("path")], fileexists),
    fixed("fileset", &[string("path"), string("pattern")], fileset),
    fixed("pathexpand", &[string("path")], |of, call| {
        base(call).map(|_| Value::String(expanded(text(&of[0])).to_string_lossy().into_owned()))
    }),
];

/// Entries of directories that one `fileset` looks at.
const MAX_ENTRIES: usize = 100_000;

/// The directory of the job file, where files may be read at all.
fn base(call: &Call<'_, '_>) -> Result<PathBuf, Failure> {
    match call.report.names.functions() {
        Functions::Job(Some(base)) => Ok(base.clone()),
        _ => failed("filesystem function disabled"),
    }
}

/// `~` is the home of whoever runs this.
fn expanded(path: &str) -> PathBuf {
    let rest = path
        .strip_prefix('~')
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (rest, std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest.trim_start_matches('/')),
        _ => PathBuf::from(path),
    }
}

/// From the job file's directory, where it is relative.
fn located(path: &str, call: &Call<'_, '_>) -> Result<PathBuf, Failure> {
    Ok(base(call)?.join(expanded(path)))
}

/// From the working directory, as Nomad has it; without `.` and `..`.
fn abspath(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    base(call)?;
    match std::path::absolute(text(&of[0])) {
        Ok(path) => Ok(Value::String(cleaned(&path).to_string_lossy().into_owned())),
        Err(error) => failed(error.to_string()),
    }
}

fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if clean.file_name().is_some() => {
                clean.pop();
            }
            Component::ParentDir if clean.has_root() => {}
            other => clean.push(other),
        }
    }
    if clean.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        clean
    }
}

fn basename(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        _ if path.is_empty() => ".".to_owned(),
        _ if trimmed.is_empty() => "/".to_owned(),
        Some(last) => last.to_owned(),
        None => trimmed.to_owned(),
    }
}

fn dirname(path: &str) -> String {
    let directory = path.rfind('/').map_or("", |slash| &path[..=slash]);
    cleaned(Path::new(directory)).to_string_lossy().into_owned()
}

fn file(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let path = text(&of[0]);
    let bytes = read(path, call)?;
    let text = String::from_utf8(bytes);
    text.map(Value::String).or_else(|_| {
        failed(format!("contents of {path} are not valid UTF-8; use the filebase64 function to obtain the Base64 encoded contents"))
    })
}

fn read(path: &str, call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    let place = located(path, call)?;
    let bytes = match regular(&place) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return failed(format!("{path} is not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return failed(format!("no file exists at {path}"));
        }
        Err(error) => return failed(format!("failed to read {path}: {error}")),
    };
    if bytes.len() > MAX_BYTES {
        return failed(format!("{path} has more than {} MiB", MAX_BYTES >> 20));
    }
    call.spend(bytes.len())?;
    Ok(bytes)
}

/// What is in a regular file, and one byte more than may be: a pipe or a device might never end. What was opened is looked at, not
/// what has the name then, and to open a pipe waits for nobody.
fn regular(place: &Path) -> io::Result<Option<Vec<u8>>> {
    let wait_for_nobody = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options()
        .read(true)
        .custom_flags(wait_for_nobody)
        .open(place)?;
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn fileexists(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let path = text(&of[0]);
    match std::fs::metadata(located(path, call)?) {
        Ok(metadata) if metadata.is_file() => Ok(Value::Bool(true)),
        Ok(_) => failed(format!("{path} is not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Value::Bool(false)),
        Err(error) => failed(format!("failed to stat {path}: {error}")),
    }
}

/// The regular files below a directory whose paths from there fit a pattern.
fn fileset(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let pattern = text(&of[1]);
    let Ok(fitting) = compiled(&as_regex(pattern), call)? else {
        return failed(format!(
            "failed to glob pattern ({pattern}): syntax error in pattern"
        ));
    };
    let depth = if pattern.contains("**") {
        usize::MAX
    } else {
        pattern.matches('/').count()
    };
    let mut found = Vec::new();
    let mut open = vec![(located(text(&of[0]), call)?, String::new())];
    let mut seen = 0;
    while let Some((directory, prefix)) = open.pop() {
        for entry in std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            seen += 1;
            if seen > MAX_ENTRIES {
                return failed(format!(
                    "there are more than {MAX_ENTRIES} files to look at"
                ));
            }
            call.spend(prefix.len() + 64)?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // Directories behind links are left out, so that there is no way round in a circle.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && path.matches('/').count() < depth {
                open.push((entry.path(), format!("{path}/")));
            } else if fitting.is_match(&path) && entry.path().is_file() {
                found.push(Value::String(path));
            }
        }
    }
    Ok(Value::set(Type::String, found))
}

/// `*` and `?` stop at a slash, `**` does not, `{a,b}` is either, `[ab]` is one of these.
fn as_regex(pattern: &str) -> String {
    let mut regex = String::from("^");
    let mut rest = pattern;
    let mut braces = 0;
    while let Some(c) = rest.chars().next() {
        let (part, taken) = match c {
            '*' if rest.starts_with("**/") => ("(?:.*/)?".to_owned(), 3),
            '*' if rest.starts_with("**") => (".*".to_owned(), 2),
            '*' => ("[^/]*".to_owned(), 1),
            '?' => ("[^/]".to_owned(), 1),
            '{' => {
                braces += 1;
                ("(?:".to_owned(), 1)
            }
            '}' if braces > 0 => {
                braces -= 1;
                (")".to_owned(), 1)
            }
            ',' if braces > 0 => ("|".to_owned(), 1),
            '[' => match rest.find(']') {
                Some(end) => (rest[..=end].replacen("[!", "[^", 1), end + 1),
                None => ("[".to_owned(), 1),
            },
            '\\' => {
                let escaped = rest[1..].chars().next();
                (
                    escaped
                        .map(|c| regex::escape(&c.to_string()))
                        .unwrap_or_default(),
                    1 + escaped.map_or(0, char::len_utf8),
                )
            }
            other => (regex::escape(&other.to_string()), other.len_utf8()),
        };
        regex += &part;
        rest = &rest[taken..];
    }
    regex + "$"
}
