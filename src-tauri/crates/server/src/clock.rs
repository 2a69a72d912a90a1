//! The time: the one place that asks the system for it, so that everything else gets it handed in.

use jiff::{Timestamp, tz::TimeZone};

/// Milliseconds since 1970, UTC.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Date and time where this machine is.
pub fn now() -> jiff::ZonedDateTime {
    jiff::ZonedDateTime::now()
}

/// Time of day and zone for people: `14:32 +01:00`.
pub fn local_time(at_ms: i64) -> String {
    local(at_ms, "%H:%M %:z")
}

/// Date and time as a mail header writes it (RFC 5322 §3.3).
pub fn mail_date(at_ms: i64) -> String {
    local(at_ms, "%a, %d %b %Y %H:%M:%S %z")
}

/// Start of the current local day in milliseconds since 1970.
pub fn start_of_today() -> i64 {
    let now = jiff::ZonedDateTime::now();
    now.start_of_day()
        .map_or(0, |start| start.timestamp().as_millisecond())
}

fn local(at_ms: i64, format: &str) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.to_zoned_datetime(TimeZone::system())
        .strftime(format)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_date_has_the_form_of_the_standard() {
        let date = mail_date(0);
        assert!(date.contains("1970 ") || date.contains("1969 "), "{date}");
        let zone = date.rsplit(' ').next().unwrap();
        assert_eq!(zone.len(), 5, "{date}");
    }
}
