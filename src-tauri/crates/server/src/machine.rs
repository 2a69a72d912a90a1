//! The networks of this machine, asked anew at most every half minute.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use policy::facts::MachineNetwork;
use settings::Network;

const FRESH: Duration = Duration::from_secs(30);

/// Remembers the answer for a while, since interfaces change seldom and mail comes often.
#[derive(Debug, Default)]
pub struct Machine(Mutex<Option<(Instant, MachineNetwork)>>);

impl Machine {
    /// Networks and gateways.
    pub fn network(&self) -> MachineNetwork {
        let mut known = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*known {
            Some((at, network)) if at.elapsed() < FRESH => network.clone(),
            _ => {
                let network = look();
                *known = Some((Instant::now(), network.clone()));
                network
            }
        }
    }
}

/// The networks as they are now.
pub fn look() -> MachineNetwork {
    let mut attached: Vec<Network> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| match interface.addr {
            if_addrs::IfAddr::V4(v4) => Network::new(v4.ip.into(), v4.prefixlen),
            if_addrs::IfAddr::V6(v6) => Network::new(v6.ip.into(), v6.prefixlen),
        })
        .collect();
    attached.sort();
    attached.dedup();
    let mut gateways = gateways_v4(&std::fs::read_to_string("/proc/net/route").unwrap_or_default());
    gateways.extend(gateways_v6(
        &std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default(),
    ));
    MachineNetwork { attached, gateways }
}

/// Default routes of Linux' table: destination and mask zero, the gateway in hexadecimal, byte order of the machine.
fn gateways_v4(table: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (destination, gateway, mask) = (fields.get(1)?, fields.get(2)?, fields.get(7)?);
        let raw = u32::from_str_radix(gateway, 16).ok()?;
        (*destination == "00000000" && *mask == "00000000" && raw != 0)
            .then(|| IpAddr::V4(Ipv4Addr::from(raw.to_ne_bytes())))
    };
    table.lines().skip(1).filter_map(gateway).collect()
}

fn gateways_v6(table: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (prefix, gateway) = (fields.get(1)?, fields.get(4)?);
        let raw = u128::from_str_radix(gateway, 16).ok()?;
        (*prefix == "00" && raw != 0).then(|| IpAddr::V6(Ipv6Addr::from(raw)))
    };
    table.lines().filter_map(gateway).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_gateway_is_read_and_other_routes_are_not() {
        let table = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                     eth0 00000000 0101A8C0 0003 0 0 0 00000000 0 0 0\n\
                     eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        assert_eq!(
            gateways_v4(table),
            ["192.168.1.1".parse::<IpAddr>().unwrap()]
        );
        assert!(gateways_v4("").is_empty());
        let six = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 1 0 1 eth0\n";
        assert_eq!(gateways_v6(six), ["fe80::1".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn this_machine_is_attached_to_its_loopback() {
        assert!(
            look()
                .attached
                .iter()
                .any(|network| network.contains(Ipv4Addr::LOCALHOST.into()))
        );
    }
}
