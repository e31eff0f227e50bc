//! Functions that templates know elsewhere and not here, and why.

/// Functions that Nomad refuses as it is installed.
const DENIED: [&str; 3] = ["plugin", "executeTemplate", "writeToFile"];

const CONSUL: [&str; 23] = [
    "byKey",
    "byMeta",
    "byPort",
    "byTag",
    "caLeaf",
    "caRoots",
    "connect",
    "datacenters",
    "explode",
    "exportedServices",
    "importedServices",
    "key",
    "keyExists",
    "keyOrDefault",
    "ls",
    "node",
    "nodes",
    "partitions",
    "peerings",
    "safeLs",
    "safeTree",
    "service",
    "services",
];
const VAULT: [&str; 3] = ["pkiCert", "secret", "secrets"];
const NOMAD: [&str; 6] = [
    "nomadService",
    "nomadServices",
    "nomadVar",
    "nomadVarExists",
    "nomadVarList",
    "nomadVarListSafe",
];

/// Why a call cannot be answered on this machine, and what to do instead.
pub(crate) fn unavailable(name: &str) -> Option<String> {
    if CONSUL.contains(&name) || name == "tree" {
        return Some(needs("Consul", "and CONSUL_HTTP_ADDR is not supported"));
    }
    if VAULT.contains(&name) {
        return Some(needs("Vault", "and VAULT_ADDR is not supported"));
    }
    if NOMAD.contains(&name) {
        return Some(needs("a Nomad server", "and there is none here"));
    }
    if DENIED.contains(&name) {
        return Some(
            "function is disabled: it would run programs or write files outside the task"
                .to_owned(),
        );
    }
    match name {
        "sockaddr" | "spew_dump" | "spew_printf" | "spew_sdump" | "spew_sprintf" => {
            Some("is not supported here".to_owned())
        }
        name if name.starts_with("sprig_") => {
            Some("the functions of sprig are not supported here".to_owned())
        }
        _ => None,
    }
}

fn needs(what: &str, why: &str) -> String {
    format!(
        "needs {what}, {why}; put the value into the task's env and write {{{{ env \"NAME\" }}}}"
    )
}
