//! What accounts are called: each kind of identity has names that no other can have.
//!
//! ```text
//! alice            the tenant or user of that name
//! @@alice          the user of the name @alice
//! @10.0.0.1        the client at that address
//! @2001:db8::/64   the clients of that network: an IPv6 client may take any address in it
//! @anonymous       all who are nobody else
//! ```

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

/// The account of all who are nobody else. No header names it.
pub const ANONYMOUS: &str = "@anonymous";

/// What begins the names that nobody chooses.
const RESERVED: char = '@';

/// The account of the user of that name. Two names are two accounts.
#[must_use]
pub fn of_user(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.starts_with(RESERVED) { Cow::Owned(format!("{RESERVED}{name}")) } else { name }
}

/// The account of the client at that address.
#[must_use]
pub fn of_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{RESERVED}{address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{RESERVED}{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_name_is_that_of_another_kind(name in "@{0,3}(anonymous|10\\.0\\.0\\.1|[a-z:/@]{0,8})", other in ".{0,4}", address: IpAddr) {
            let account = of_user(Cow::Borrowed(&name));
            prop_assert_ne!(&*account, ANONYMOUS);
            prop_assert_ne!(&*account, of_address(address));
            prop_assert_ne!(of_address(address), ANONYMOUS);
            prop_assert_eq!(of_user(Cow::Borrowed(&other)) == account, other == name);
        }
    }

    #[test]
    fn clients_of_an_ipv6_network_are_one() {
        let of = |address: &str| of_address(address.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "@2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::9"), of("2001:db8:1:2:3:4:5:6"));
        assert_eq!(of("10.0.0.1"), "@10.0.0.1");
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
