use proptest::prelude::*;

use super::*;

fn masked(text: &str) -> Masked {
    Masked::parse(text).unwrap().0
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_mask_with_holes_is_taken_bit_by_bit() {
    let (holes, dropped) = Masked::parse("192.163.1.1/255.100.10.1").unwrap();
    assert!(dropped);
    assert_eq!(holes.to_string(), "192.32.0.1/255.100.10.1");
    assert_eq!((holes.prefix(), holes.free_bits()), (None, 18));
    for inside in [
        "192.163.1.1",
        "192.32.0.1",
        "::ffff:192.163.1.1",
        "192.187.245.255",
    ] {
        assert!(holes.contains(ip(inside)), "{inside}");
    }
    for outside in [
        "192.36.0.1",
        "192.32.2.1",
        "192.32.0.2",
        "193.32.0.1",
        "2001:db8::1",
    ] {
        assert!(!holes.contains(ip(outside)), "{outside}");
    }
}

#[test]
fn lengths_and_dotted_masks_say_the_same() {
    assert_eq!(masked("192.0.2.0/24"), masked("192.0.2.77/255.255.255.0"));
    assert_eq!(
        masked("192.0.2.0/255.255.255.0").to_string(),
        "192.0.2.0/24"
    );
    assert_eq!(masked("::ffff:192.0.2.0/120"), masked("192.0.2.0/24"));
    assert!(masked("0.0.0.0/0").contains(ip("203.0.113.9")));
    assert!(!masked("::/0").contains(ip("203.0.113.9")));
    assert!(masked("2001:db8::/32").contains(ip("2001:db8:ffff::1")));
    assert!(!masked("2001:db8::/32").contains(ip("2001:db9::1")));
}

#[test]
fn each_mistake_has_its_own_words() {
    let why = |text: &str| Masked::parse(text).unwrap_err();
    assert!(matches!(why("192.0.2.1"), MaskError::NoMask(_)));
    assert!(matches!(why("office/24"), MaskError::Address(_)));
    assert!(matches!(why("192.0.2/24"), MaskError::Address(_)));
    for mask in [
        "",
        "33",
        "+8",
        "-1",
        "255.255.255",
        "255.255.255.256",
        "0x8",
        "8/8",
    ] {
        assert!(
            matches!(why(&format!("192.0.2.0/{mask}")), MaskError::MaskV4(_)),
            "{mask}"
        );
    }
    assert!(matches!(why("2001:db8::/129"), MaskError::MaskV6(_)));
    assert!(matches!(why("2001:db8::/255.0.0.0"), MaskError::MaskV6(_)));
    assert!(matches!(why("::ffff:192.0.2.0/95"), MaskError::Mapped(_)));
}

proptest! {
    #[test]
    fn any_ipv4_mask_matches_by_its_bits(address: u32, mask: u32, other: u32) {
        let text = format!("{}/{}", Ipv4Addr::from(address), Ipv4Addr::from(mask));
        let read = masked(&text);
        prop_assert_eq!(
            read.contains(IpAddr::V4(other.into())),
            other & mask == address & mask
        );
        prop_assert!(read.contains(IpAddr::V4(address.into())));
        prop_assert_eq!(masked(&read.to_string()), read);
    }

    #[test]
    fn any_ipv6_prefix_matches_by_its_bits(address: u128, prefix in 0u32..=128, other: u128) {
        let v6 = Ipv6Addr::from(address);
        prop_assume!(v6.to_ipv4_mapped().is_none() && Ipv6Addr::from(other).to_ipv4_mapped().is_none());
        let read = masked(&format!("{v6}/{prefix}"));
        prop_assert_eq!(read.contains(IpAddr::V6(other.into())), other & ones_v6(prefix) == address & ones_v6(prefix));
        prop_assert_eq!(masked(&read.to_string()), read);
    }

    #[test]
    fn to_cover_and_to_meet_agree_with_the_addresses(a: u32, ma: u32, b: u32, mb: u32) {
        let wide = masked(&format!("{}/{}", Ipv4Addr::from(a), Ipv4Addr::from(ma)));
        let other = masked(&format!("{}/{}", Ipv4Addr::from(b), Ipv4Addr::from(mb)));
        if wide.covers(&other) {
            prop_assert!(wide.meets(&other));
            prop_assert!(wide.contains(other.ends().0) && wide.contains(other.ends().1));
        }
        let within = masked(&format!("{}/{}", Ipv4Addr::from(a), Ipv4Addr::from(ma | mb)));
        prop_assert!(wide.covers(&within));
    }

    #[test]
    fn no_text_is_too_strange_to_be_read(text in "\\PC{0,60}") {
        let _ = Masked::parse(&text);
    }
}
