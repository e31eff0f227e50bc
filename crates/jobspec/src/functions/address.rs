//! IP networks, as `10.0.0.0/8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Function, fixed, number, string, variadic};
use crate::call::{Call, Failure, failed, text, whole};
use crate::cty::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("cidrhost", &[string("prefix"), number("hostnum")], cidrhost),
    fixed("cidrnetmask", &[string("prefix")], |of, _| {
        let network = Network::parse(text(&of[0]))?;
        Ok(Value::String(
            network.address(network.mask(network.prefix)).to_string(),
        ))
    }),
    fixed(
        "cidrsubnet",
        &[string("prefix"), number("newbits"), number("netnum")],
        cidrsubnet,
    ),
    variadic(
        "cidrsubnets",
        &[string("prefix")],
        number("newbits"),
        cidrsubnets,
    ),
];

/// A network; addresses are kept as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: u128,
    /// Of an address: 32 or 128.
    bits: u32,
    prefix: u32,
}

impl Network {
    /// The bits behind the prefix are passed over.
    fn parse(written: &str) -> Result<Self, String> {
        let invalid = || format!("invalid CIDR expression: invalid CIDR address: {written}");
        let (address, prefix) = written.split_once('/').ok_or_else(invalid)?;
        let (base, bits) = match address.parse().map_err(|_| invalid())? {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix
            .parse()
            .ok()
            .filter(|&prefix| digits && prefix <= bits)
            .ok_or_else(invalid)?;
        let network = Network { base, bits, prefix };
        Ok(Network {
            base: base & network.mask(prefix),
            ..network
        })
    }

    /// The bits of a prefix.
    fn mask(self, prefix: u32) -> u128 {
        self.all() & !self.behind(prefix)
    }

    /// The bits of an address.
    fn all(self) -> u128 {
        u128::MAX >> (128 - self.bits)
    }

    /// The bits behind a prefix.
    fn behind(self, prefix: u32) -> u128 {
        self.all().checked_shr(prefix).unwrap_or(0)
    }

    fn address(self, number: u128) -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if self.bits == 32 => IpAddr::V4(Ipv4Addr::from_bits(number)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(number)),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(self.base), self.prefix)
    }
}

/// From the end, where the number is negative.
fn cidrhost(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let host = whole(&of[1], 1)?;
    let network = Network::parse(text(&of[0]))?;
    let most = network.behind(network.prefix);
    let (number, distance) = if host < 0 {
        let distance = u128::from(host.unsigned_abs()) - 1;
        (most.wrapping_sub(distance), distance)
    } else {
        (
            u128::from(host.unsigned_abs()),
            u128::from(host.unsigned_abs()),
        )
    };
    if distance > most {
        let prefix = network.prefix;
        return failed(format!(
            "prefix of {prefix} does not accommodate a host numbered {host}"
        ));
    }
    Ok(Value::String(
        network.address(network.base | number).to_string(),
    ))
}

fn cidrsubnet(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let (new, number) = (whole(&of[1], 1)?, whole(&of[2], 2)?);
    let network = Network::parse(text(&of[0]))?;
    let longer = i64::from(network.prefix) + new;
    let Some(prefix) = u32::try_from(longer)
        .ok()
        .filter(|&prefix| new >= 0 && prefix <= network.bits)
    else {
        return failed(format!(
            "insufficient address space to extend prefix of {} by {new}",
            network.prefix
        ));
    };
    let most = network
        .behind(network.prefix)
        .checked_shr(network.bits - prefix)
        .unwrap_or(0);
    match u128::try_from(number) {
        Ok(number) if number <= most => {
            let shifted = number.checked_shl(network.bits - prefix).unwrap_or(0);
            let base = network.base | shifted;
            Ok(Value::String(
                Network {
                    base,
                    prefix,
                    ..network
                }
                .to_string(),
            ))
        }
        _ => failed(format!(
            "prefix extension of {new} does not accommodate a subnet numbered {number}"
        )),
    }
}

/// One behind the other, each where the next of its size begins.
fn cidrsubnets(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let network = Network::parse(text(&of[0])).map_err(|why| Failure::Argument(0, why))?;
    let last = network.base | network.behind(network.prefix);
    let mut next = Some(network.base);
    let mut current: Option<Network> = None;
    let mut subnets = Vec::new();
    for (at, new) in of.iter().enumerate().skip(1) {
        call.spend(64)?;
        let prefix = longer(network, whole(new, at)?).map_err(|why| Failure::Argument(at, why))?;
        let size = network.behind(prefix);
        // A larger one begins at a multiple of its size.
        let base = next
            .and_then(|next| next.checked_add(size))
            .map(|end| end & !size);
        let Some(base) = base.filter(|base| base | size <= last) else {
            let after = current.unwrap_or(network);
            let why = format!(
                "not enough remaining address space for a subnet with a prefix of {prefix} bits after {after}"
            );
            return Err(Failure::Argument(at, why));
        };
        let subnet = Network {
            base,
            prefix,
            ..network
        };
        next = (base | size).checked_add(1);
        current = Some(subnet);
        subnets.push(subnet.to_string());
    }
    Ok(Value::texts(subnets))
}

fn longer(network: Network, new: i64) -> Result<u32, String> {
    let Ok(new) = u32::try_from(new.max(0)) else {
        return Err("may not extend prefix by more than 32 bits".to_owned());
    };
    let protocol = if network.bits == 32 { "IPv4" } else { "IPv6" };
    match network.prefix.saturating_add(new) {
        _ if new == 0 => Err("must extend prefix by at least one bit".to_owned()),
        _ if new > 32 => Err("may not extend prefix by more than 32 bits".to_owned()),
        prefix if prefix > network.bits => Err(format!(
            "would extend prefix to {prefix} bits, which is too long for an {protocol} address"
        )),
        prefix => Ok(prefix),
    }
}
