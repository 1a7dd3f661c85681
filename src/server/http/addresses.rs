//! How many connections each address has open: one machine must not take them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::server::config::Config;

/// The connections of each address that has any. As bounded as the connections.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that counts for its address until it is closed.
#[derive(Debug)]
pub(crate) struct AddressPlace {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    /// One more connection of `peer`; `None` if its address has as many as it may.
    pub(crate) fn admit(self: &Arc<Self>, config: &Config, peer: IpAddr) -> Option<AddressPlace> {
        let address = network(peer);
        let max = most(config, address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(AddressPlace { addresses: Arc::clone(self), address })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Connections that one address may have. Unless the configuration says otherwise this machine may have all:
/// a proxy on it stands for everybody.
fn most(config: &Config, address: IpAddr) -> usize {
    match config.connections_per_address_max {
        Some(0) => usize::MAX,
        Some(max) => max,
        None if address.is_loopback() => usize::MAX,
        None => (config.connections_max.get() / 2).max(1),
    }
}

/// One user of IPv6 has a network of 64 bits of addresses.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_share() {
        let mut config = Config { connections_max: 4.try_into().unwrap(), ..Config::default() };
        let addresses = Arc::new(Addresses::default());
        let admit = |config: &Config, peer: &str| addresses.admit(config, peer.parse().unwrap());
        let first = [admit(&config, "10.0.0.1"), admit(&config, "::ffff:10.0.0.1")];
        assert!(first.iter().all(Option::is_some));
        assert!(admit(&config, "10.0.0.1").is_none(), "half of all is its share");
        assert!(admit(&config, "10.0.0.2").is_some(), "another address has its own");
        let network = [admit(&config, "2001:db8::1"), admit(&config, "2001:db8::2")];
        assert!(admit(&config, "2001:db8::3").is_none() && admit(&config, "2001:db8:0:1::1").is_some());
        let local: Vec<_> = (0..9).map(|_| admit(&config, "127.0.0.1")).collect();
        assert!(local.iter().all(Option::is_some), "a proxy on this machine stands for everybody");
        config.connections_per_address_max = Some(9);
        assert!(admit(&config, "127.0.0.1").is_none());
        config.connections_per_address_max = Some(0);
        assert!(admit(&config, "10.0.0.1").is_some());
        drop((first, network, local));
        assert!(addresses.open.lock().unwrap().is_empty());
    }
}
