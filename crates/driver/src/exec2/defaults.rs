//! The system paths that every task may use, as far as they exist: those that exec2's documentation lists and those that its
//! code grants, together.
//!
//! Not in the table, because something else grants the same: what lies below `/proc` (the task's own procfs is readable as a
//! whole), and `/dev/fd`, `/dev/stdin`, `/dev/stdout` and `/dev/stderr`, links to what the task has open (its procfs, `/dev/null`
//! and the two log pipes). A rule on one of those links made outside would open the launcher's own files.
use sandbox::spec::Access;

const R: Access = Access::READ;
const W: Access = Access::WRITE;
const RW: Access = Access::READ.union(Access::WRITE);
const RX: Access = Access::READ.union(Access::EXECUTE);

/// Path and rights.
pub(crate) const PATHS: &[(&str, Access)] = &[
    ("/bin", RX),
    ("/usr/bin", RX),
    ("/usr/local/bin", RX),
    ("/dev/null", RW),
    ("/lib", RX),
    ("/lib64", RX),
    ("/usr/lib", RX),
    ("/usr/lib64", RX),
    ("/usr/libexec", RX),
    ("/usr/local/lib", RX),
    ("/usr/local/lib64", RX),
    ("/etc/ld.so.conf", R),
    ("/etc/ld.so.cache", R),
    ("/etc/ld.so.conf.d", R),
    ("/dev/full", RW),
    ("/dev/zero", R),
    ("/dev/urandom", R),
    ("/dev/log", W),
    ("/usr/share/locale", R),
    ("/usr/share/zoneinfo", R),
    ("/usr/share/common-licenses", R),
    ("/etc/hosts", R),
    ("/hostname", R),
    ("/etc/services", R),
    ("/etc/protocols", R),
    ("/etc/resolv.conf", R),
    ("/etc/ssl/certs", R),
    ("/etc/pki/tls/certs", R),
    ("/sys/etc/security/cacerts", R),
    ("/etc/ssl/ca-bundle.pem", R),
    ("/etc/pki/tls/cacert.pem", R),
    ("/etc/pki/ca-trust-extracted/pem/tls-ca-bundle.pem", R),
    ("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", R),
    ("/etc/ssl/cert.pem", R),
];

/// Where `/etc/resolv.conf` and `/dev/log` may lead: kept in view when `/run` is covered.
pub(crate) const BELOW_RUN: [&str; 3] = [
    "/run/resolvconf",
    "/run/systemd/journal/dev-log",
    "/run/systemd/resolve",
];
