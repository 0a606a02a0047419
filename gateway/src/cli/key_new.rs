//! `loggia key new`: a key for a tenant, shown this once.

use crate::tenant::{Digest, generate};

/// Print a key, and what `gateway.toml` must say of it.
pub(super) fn run(name: &str) {
    let key = generate();
    let digest = Digest::of_key(&key).expect("a new key is one");
    println!("The key, which nobody can show again:\n\n    {key}\n");
    println!(
        "Its lines for gateway.toml, with the tenant's name for NAME and the roles it needs:\n"
    );
    println!("    [[tenants.NAME.keys]]");
    println!("    name = {name:?}");
    println!("    sha256 = \"{digest}\"");
    println!("    roles = [\"reader\"]");
}
