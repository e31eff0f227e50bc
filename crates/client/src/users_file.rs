//! The one account that directories of ours belong to.
use crate::dirs::Owner;

/// What the kernel calls the overflow uid, and most systems nobody.
const OVERFLOW: Owner = Owner {
    uid: 65_534,
    gid: 65_534,
};

/// The account that Nomad gives its open directories to.
pub(crate) fn nobody() -> Owner {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    find(&accounts, "nobody").unwrap_or(OVERFLOW)
}

/// A line of passwd(5).
fn find(accounts: &str, name: &str) -> Option<Owner> {
    let line = accounts
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2);
    Some(Owner {
        uid: numbers.next()?.parse().ok()?,
        gid: numbers.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts =
            "root:x:0:0:root:/root:/bin/bash\nnobody2:x:7:7::/:\nnobody:x:99:98:x:/:/bin/false\n";
        assert_eq!(find(accounts, "nobody"), Some(Owner { uid: 99, gid: 98 }));
        assert_eq!(find(accounts, "nob"), None);
    }
}
