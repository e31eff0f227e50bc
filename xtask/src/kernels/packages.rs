//! Debian's kernels, fetched once and unpacked; nothing is installed.
use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::{output, succeed};
use super::{Result, Store};

/// How the names of the packages end.
const END: &str = "-cloud-amd64";

/// Modules that the tests need: overlayfs for roots, cables between network namespaces.
const MODULES: [&str; 2] = ["overlay.ko", "veth.ko"];

/// A kernel and its modules.
pub(crate) struct Kernel {
    /// The image that is booted.
    pub(crate) image: PathBuf,
    /// [`MODULES`], compressed or not.
    pub(crate) modules: Vec<PathBuf>,
}

impl Kernel {
    /// The newest of a series that this Debian has; one that was fetched before is taken as it is.
    pub(crate) fn fetch(store: &Store, series: &str) -> Result<Kernel> {
        let directory = store.kept(&format!("linux-{series}"))?;
        if Kernel::find(&directory).is_none() {
            let package = newest(series)?;
            println!("xtask kernels: fetching {package}");
            let mut download = Command::new("apt-get");
            download.args(["download", "-qq", "-o", "APT::Sandbox::User=root", &package]);
            succeed(download.current_dir(&directory))?;
            let archive =
                first(&directory, &|name| name.ends_with(".deb")).ok_or("no package came")?;
            succeed(Command::new("dpkg").arg("-x").arg(&archive).arg(&directory))?;
            std::fs::remove_file(archive)?;
        }
        Kernel::find(&directory)
            .ok_or_else(|| format!("no kernel with {MODULES:?} in {}", directory.display()).into())
    }

    fn find(directory: &Path) -> Option<Kernel> {
        Some(Kernel {
            image: first(&directory.join("boot"), &|name| {
                name.starts_with("vmlinuz-")
            })?,
            modules: MODULES
                .iter()
                .map(|module| {
                    first(&directory.join("lib/modules"), &|name| {
                        name.starts_with(module)
                    })
                })
                .collect::<Option<_>>()?,
        })
    }
}

/// The package of the newest kernel of a series.
fn newest(series: &str) -> Result<String> {
    let pattern = format!(
        r"^linux-image-{}\.[0-9][^-]*(-[0-9]+)?{END}$",
        series.replace('.', r"\.")
    );
    let found = output(Command::new("apt-cache").args(["search", "--names-only", &pattern]))?;
    let names = found.lines().filter_map(|line| line.split(' ').next());
    let newest = names.max_by_key(|name| numbers(name));
    newest.map(str::to_owned).ok_or_else(|| {
        format!(
            "this Debian has no kernel {series} (packages that match {pattern}); apt-get update?"
        )
        .into()
    })
}

/// The numbers in a name, which order versions.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// The first file below a directory whose name is wanted.
fn first(directory: &Path, wanted: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    for entry in std::fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = first(&path, wanted) {
                return Some(found);
            }
        } else if wanted(&entry.file_name().to_string_lossy()) {
            return Some(path);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let newer = numbers("linux-image-6.12.117+deb12-cloud-amd64");
        assert!(newer > numbers("linux-image-6.12.99+deb12-cloud-amd64"));
        assert!(
            numbers("linux-image-6.1.0-56-cloud-amd64")
                > numbers("linux-image-6.1.0-9-cloud-amd64")
        );
    }
}
