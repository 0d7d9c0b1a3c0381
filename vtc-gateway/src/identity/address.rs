//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderMap, X_FORWARDED_FOR};
use ipnet::IpNet;

/// The networks of a loopback interface, and those that are not of the internet. Sources: RFC 1122, section 3.2.1.3; RFC
/// 4291, section 2.5.3; RFC 1918; RFC 4193; and link-local addresses, RFC 3927 and RFC 4291.
pub const PRIVATE: [&str; 8] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];

/// Whether the address is in one of the networks.
#[must_use]
pub fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Whether somebody passed the request on, as far as it says.
#[must_use]
pub fn is_relayed(headers: &HeaderMap) -> bool {
    headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED)
}

/// The client's address: the peer's, unless that is one of the `proxies`; then the last of `x-forwarded-for` that is not.
/// Proxies append whom they got the request from, so what stands before that was written by the client and counts
/// nothing. `None` if a proxy wrote something that is no address.
#[must_use]
pub fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut address = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
    let entries = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries {
        if !is_in(proxies, address) {
            break;
        }
        address = parse(entry)?;
    }
    Some(address)
}

/// An address, with a port or without.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn forwarded(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn of(peer: &str, lines: &[&str]) -> Option<String> {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client(peer.parse().unwrap(), &forwarded(lines), &proxies).map(|address| address.to_string())
    }

    #[test]
    fn what_a_stranger_says_of_itself_counts_nothing() {
        assert_eq!(of("8.8.8.8", &["1.1.1.1"]).unwrap(), "8.8.8.8");
        assert_eq!(of("10.0.0.1", &["1.1.1.1, 8.8.8.8"]).unwrap(), "8.8.8.8", "the client wrote 1.1.1.1");
        assert_eq!(of("10.0.0.1", &["garbage, 8.8.8.8"]).unwrap(), "8.8.8.8");
        assert_eq!(of("10.0.0.1", &["1.1.1.1", "8.8.8.8"]).unwrap(), "8.8.8.8", "a line for each");
    }

    #[test]
    fn the_way_is_followed_back_through_proxies() {
        assert_eq!(of("10.0.0.1", &["8.8.8.8 ,10.0.0.2,\t10.0.0.3"]).unwrap(), "8.8.8.8");
        assert_eq!(of("10.0.0.1", &["10.0.0.3, 10.0.0.2"]).unwrap(), "10.0.0.3", "one of the house");
        assert_eq!(of("10.0.0.1", &[]).unwrap(), "10.0.0.1");
        assert_eq!(of("fd00::1", &["[2001:db8::1]:80"]).unwrap(), "2001:db8::1");
        assert_eq!(of("fd00::1", &["[2001:db8::1]"]).unwrap(), "2001:db8::1");
        assert_eq!(of("::ffff:10.0.0.1", &["8.8.8.8:1234"]).unwrap(), "8.8.8.8");
    }

    #[test]
    fn where_a_proxy_does_not_know_nobody_does() {
        assert_eq!(of("10.0.0.1", &["unknown"]), None);
        assert_eq!(of("10.0.0.1", &["8.8.8.8, "]), None);
    }

    #[test]
    fn the_private_networks_are_networks() {
        let networks: Vec<IpNet> = PRIVATE.iter().map(|network| network.parse().unwrap()).collect();
        for inside in ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "fd12::1", "fe80::1"] {
            assert!(is_in(&networks, inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "172.32.0.1", "2001:db8::1", "0.0.0.0"] {
            assert!(!is_in(&networks, outside.parse().unwrap()), "{outside}");
        }
    }
}
