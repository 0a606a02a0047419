//! Whether a caller may ask for an operation.

use hyper::StatusCode;

use super::problem::Problem;
use crate::manifest::Role;
use crate::tenant::Principal;

/// Refuse a caller none of whose roles is enough.
pub(super) fn check(needed: Role, caller: &Principal) -> Result<(), Problem> {
    let mut roles = caller.roles.iter().filter_map(|name| Role::named(name));
    if roles.any(|role| role >= needed) {
        return Ok(());
    }
    let (needed, roles) = (needed.name(), caller.roles.join(", "));
    let has = if roles.is_empty() { "none" } else { &roles };
    let detail = format!("this operation needs the role {needed}; the caller's roles: {has}");
    Err(Problem::new(StatusCode::FORBIDDEN, "role-required", detail).with("role", needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_enough_for_itself_and_for_what_comes_before_it() {
        let may = |role: &str, needed: Role| {
            let principal = Principal { subject: "s".to_owned(), roles: vec![role.to_owned()] };
            check(needed, &principal).is_ok()
        };
        let table = [
            ("reader", [true, false, false]),
            ("writer", [true, true, false]),
            ("admin", [true, true, true]),
            ("nobody", [false, false, false]),
        ];
        for (role, expected) in table {
            assert_eq!(Role::ALL.map(|needed| may(role, needed)), expected, "{role}");
        }
    }
}
