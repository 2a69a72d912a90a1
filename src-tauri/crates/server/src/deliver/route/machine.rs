//! What of the machine matters for a route: which places are this server itself, and which addresses can be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use settings::Settings;

/// This server as others see it.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Host name as A-labels.
    pub name: Option<String>,
    /// Where it listens.
    pub listeners: Vec<SocketAddr>,
    /// Addresses of the machine.
    pub addresses: Vec<IpAddr>,
}

impl Surroundings {
    pub fn look(settings: &Settings) -> Self {
        let service = &settings.service;
        let addresses = if_addrs::get_if_addrs()
            .unwrap_or_default()
            .into_iter()
            .map(|interface| interface.ip().to_canonical())
            .collect();
        Self {
            name: settings
                .general
                .hostname
                .as_ref()
                .map(|name| name.ascii().to_owned()),
            listeners: [&service.smtp, &service.submission, &service.submissions]
                .into_iter()
                .flatten()
                .copied()
                .collect(),
            addresses,
        }
    }

    /// Whether that host is this server, by its name.
    pub fn is_named(&self, host: &str) -> bool {
        self.name.as_deref() == Some(host)
    }

    /// Whether whoever connects there comes out at one of our listeners. An address of the router that leads back to us
    /// is not known here; the link sees our own greeting then.
    pub fn is_ours(&self, place: SocketAddr) -> bool {
        let ip = place.ip().to_canonical();
        self.listeners
            .iter()
            .filter(|listener| listener.port() == place.port())
            .any(|listener| {
                let at = listener.ip().to_canonical();
                at == ip || (takes_all(at, ip) && self.has(ip))
            })
    }

    fn has(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.addresses.contains(&ip)
    }
}

/// Whether a listener there takes connections for every address of the machine; `[::]` does so for IPv4 as well.
fn takes_all(listener: IpAddr, ip: IpAddr) -> bool {
    listener.is_unspecified() && (listener.is_ipv6() || ip.is_ipv4())
}

/// Whether a server can have that address.
pub(super) fn is_of_a_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || broadcast)
}

/// Drops addresses that the machine has no way to, such as IPv6 ones where there is only IPv4; all stay when it has none
/// to any, so that the attempt says so.
pub(super) fn reachable(ips: Vec<IpAddr>) -> Vec<IpAddr> {
    let (near, far): (Vec<IpAddr>, Vec<IpAddr>) = ips.into_iter().partition(|ip| has_way_to(*ip));
    if near.is_empty() { far } else { near }
}

/// Connecting a datagram socket looks the way up and sends nothing.
fn has_way_to(ip: IpAddr) -> bool {
    const ANY_PORT: u16 = 9;
    let from: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((from, 0)).is_ok_and(|socket| socket.connect((ip, ANY_PORT)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn around(listeners: &[&str]) -> Surroundings {
        Surroundings {
            name: Some("mail.our.example".into()),
            listeners: listeners.iter().map(|text| text.parse().unwrap()).collect(),
            addresses: vec![ip("192.168.1.10"), ip("2001:db8::10")],
        }
    }

    fn is_ours(listener: &str, place: &str) -> bool {
        around(&[listener]).is_ours(place.parse().unwrap())
    }

    #[test]
    fn a_listener_on_all_addresses_is_met_at_each_of_them() {
        assert!(is_ours("[::]:25", "192.168.1.10:25"));
        assert!(is_ours("[::]:25", "[2001:db8::10]:25"));
        assert!(is_ours("[::]:25", "127.0.0.2:25"));
        assert!(is_ours("[::]:25", "[::ffff:192.168.1.10]:25"));
        assert!(is_ours("0.0.0.0:25", "192.168.1.10:25"));
    }

    #[test]
    fn another_port_or_another_machine_is_not_this_server() {
        assert!(!is_ours("[::]:25", "192.168.1.10:2525"));
        assert!(!is_ours("[::]:25", "192.168.1.11:25"));
        assert!(!is_ours("0.0.0.0:25", "[2001:db8::10]:25"));
        assert!(!is_ours("192.168.1.10:25", "127.0.0.1:25"));
    }

    #[test]
    fn a_listener_on_one_address_is_met_there() {
        assert!(is_ours("192.168.1.10:25", "192.168.1.10:25"));
        assert!(is_ours("127.0.0.1:2525", "127.0.0.1:2525"));
    }

    #[test]
    fn the_own_name_is_known() {
        assert!(around(&[]).is_named("mail.our.example"));
        assert!(!around(&[]).is_named("mail.third.example"));
        assert!(!Surroundings::default().is_named(""));
    }

    #[test]
    fn some_addresses_belong_to_no_server() {
        for none in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"] {
            assert!(!is_of_a_host(ip(none)), "{none}");
        }
        assert!(is_of_a_host(ip("127.0.0.1")));
        assert!(is_of_a_host(ip("10.0.0.1")));
    }

    #[test]
    fn the_loopback_can_be_reached() {
        assert_eq!(reachable(vec![ip("127.0.0.1")]), [ip("127.0.0.1")]);
    }

    #[test]
    fn addresses_without_a_way_stay_when_there_are_no_others() {
        // Nobody has a way to class E.
        let far = ip("240.0.0.1");
        let kept = reachable(vec![far]);
        assert_eq!(kept, [far]);
    }
}
