//! Names that nobody else has, and chance.
use crate::error::{Attempt, HostError};

/// A random UUID, made by the kernel.
pub(crate) fn uuid() -> Result<String, HostError> {
    let text = std::fs::read_to_string(SOURCE).attempt(|| format!("read {SOURCE}"))?;
    Ok(text.trim().to_owned())
}

const SOURCE: &str = "/proc/sys/kernel/random/uuid";

/// `<alloc id>/<task>/<8 hex>`: new for every start.
pub(crate) fn task_id(alloc_id: &str, task: &str) -> Result<String, HostError> {
    Ok(format!("{alloc_id}/{task}/{}", short(&uuid()?)))
}

/// The first eight characters, Nomad's short form.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Any number.
pub(crate) fn random() -> Result<u32, HostError> {
    let uuid = uuid()?;
    Ok(u32::from_str_radix(short(&uuid), 16).unwrap_or(0))
}

/// Of the running kernel; another one after each boot.
pub(crate) fn boot_id() -> Result<String, HostError> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(path).attempt(|| format!("read {path}"))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn task_ids_are_new_each_time() {
        let first = task_id("a", "b").unwrap();
        assert!(first.starts_with("a/b/") && first.len() == 12);
        assert_ne!(first, task_id("a", "b").unwrap());
    }
}
