//! The checks that several sections share.

use smtp::Domain;

use crate::Problem;
use crate::field::Bounded;

pub(crate) fn range(
    problems: &mut Vec<Problem>,
    path: &str,
    value: &impl Bounded,
    min: u64,
    max: u64,
) {
    let Some(number) = value.number() else { return };
    if !(min..=max).contains(&number) {
        problems.push(
            Problem::new(
                path,
                "out_of_range",
                format!("{number} is not allowed here; choose a number from {min} to {max}"),
            )
            .arg("value", number)
            .arg("min", min)
            .arg("max", max),
        );
    }
}

/// A name that others must find in the DNS: at least two labels, and not this machine's private name.
pub(crate) fn public_name(problems: &mut Vec<Problem>, path: &str, name: &Domain) {
    let ascii = name.ascii();
    if !name.is_fqdn() {
        problems.push(
            Problem::new(
                path,
                "not_fqdn",
                format!(
                    "\"{name}\" has no dot; write the full name, for example {name}.example.com"
                ),
            )
            .arg("value", name),
        );
    } else if ascii == "localhost"
        || ascii.ends_with(".localhost")
        || ascii == "localhost.localdomain"
    {
        problems.push(
            Problem::new(
                path,
                "local_name",
                format!("\"{name}\" names this machine only; other servers need a name that the DNS knows"),
            )
            .arg("value", name),
        );
    }
}
