//! Counts how many octets a body has once its transfer encoding is undone (RFC 2045 §6), without undoing it.

/// A running count for one body.
#[derive(Debug)]
pub(super) enum DecodedSize {
    /// 7bit, 8bit, binary and everything unknown: what is sent is what counts.
    Identity(u64),
    Base64(Base64Size),
    QuotedPrintable(QuotedPrintableSize),
}

impl DecodedSize {
    /// Starts a count for a body with this `Content-Transfer-Encoding`.
    pub(super) fn new(encoding: &str) -> Self {
        match encoding {
            "base64" => Self::Base64(Base64Size::default()),
            "quoted-printable" => Self::QuotedPrintable(QuotedPrintableSize::default()),
            _ => Self::Identity(0),
        }
    }

    /// Counts octets of a line.
    pub(super) fn content(&mut self, octets: &[u8]) {
        match self {
            Self::Identity(size) => *size += octets.len() as u64,
            Self::Base64(size) => size.content(octets),
            Self::QuotedPrintable(size) => octets.iter().for_each(|&octet| size.octet(octet)),
        }
    }

    /// Counts a line end that belongs to the body.
    pub(super) fn end_of_line(&mut self, octets: &[u8]) {
        match self {
            Self::Identity(size) => *size += octets.len() as u64,
            Self::Base64(_) => {}
            Self::QuotedPrintable(size) => size.end_of_line(octets.len() as u64),
        }
    }

    /// The decoded size when nothing more comes.
    pub(super) fn total(&self) -> u64 {
        match self {
            Self::Identity(size) => *size,
            Self::Base64(size) => size.total(),
            Self::QuotedPrintable(size) => size.total(),
        }
    }
}

/// RFC 2045 §6.8: everything outside the alphabet is ignored. Octets after padding count too: some readers stop
/// there, others go on, and a limit must hold for both.
#[derive(Debug, Default)]
pub(super) struct Base64Size {
    finished: u64,
    digits: u64,
}

impl Base64Size {
    fn content(&mut self, octets: &[u8]) {
        for &octet in octets {
            if octet.is_ascii_alphanumeric() || octet == b'+' || octet == b'/' {
                self.digits += 1;
            } else if octet == b'=' {
                self.finished = self.total();
                self.digits = 0;
            }
        }
    }

    fn total(&self) -> u64 {
        self.finished + self.digits / 4 * 3 + self.digits % 4 * 6 / 8
    }
}

/// RFC 2045 §6.7, and for what is not allowed there: it stands for itself.
#[derive(Debug, Default)]
pub(super) struct QuotedPrintableSize {
    size: u64,
    /// Blanks that count only when something follows on the same line (rule 3).
    blanks: u64,
    escape: Escape,
}

#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    /// After `=`.
    Started,
    /// After `=` and one hexadecimal digit.
    Digit,
    /// After `=` and so many blanks: a soft line break if the line ends here.
    Blanks(u64),
}

impl QuotedPrintableSize {
    fn octet(&mut self, octet: u8) {
        let blank = octet == b' ' || octet == b'\t';
        match self.escape {
            Escape::Started if octet.is_ascii_hexdigit() => self.escape = Escape::Digit,
            Escape::Started if blank => self.escape = Escape::Blanks(1),
            Escape::Blanks(blanks) if blank => self.escape = Escape::Blanks(blanks + 1),
            Escape::Digit if octet.is_ascii_hexdigit() => {
                self.size += 1;
                self.escape = Escape::None;
            }
            _ => {
                self.give_up_escape();
                self.plain(octet, blank);
            }
        }
    }

    fn plain(&mut self, octet: u8, blank: bool) {
        if blank {
            self.blanks += 1;
            return;
        }
        self.size += std::mem::take(&mut self.blanks);
        if octet == b'=' {
            self.escape = Escape::Started;
        } else {
            self.size += 1;
        }
    }

    /// What looked like an escape was none: its octets stand for themselves.
    fn give_up_escape(&mut self) {
        match std::mem::take(&mut self.escape) {
            Escape::None => {}
            Escape::Started => self.size += 1,
            Escape::Digit => self.size += 2,
            Escape::Blanks(blanks) => {
                self.size += 1;
                self.blanks = blanks;
            }
        }
    }

    fn end_of_line(&mut self, length: u64) {
        let soft = matches!(self.escape, Escape::Started | Escape::Blanks(_));
        if soft {
            self.escape = Escape::None;
        } else {
            self.give_up_escape();
            self.size += length;
        }
        self.blanks = 0;
    }

    fn total(&self) -> u64 {
        self.size
            + if matches!(self.escape, Escape::Digit) {
                2
            } else {
                0
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(encoding: &str, lines: &[&str]) -> u64 {
        let mut count = DecodedSize::new(encoding);
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                count.end_of_line(b"\r\n");
            }
            count.content(line.as_bytes());
        }
        count.total()
    }

    #[test]
    fn base64_is_counted_without_line_ends_padding_and_junk() {
        assert_eq!(size("base64", &["aGVs", "bG8="]), 5);
        assert_eq!(size("base64", &["aG!V s\u{e4}bG8"]), 5);
        assert_eq!(size("base64", &[""]), 0);
    }

    #[test]
    fn base64_that_goes_on_after_its_padding_counts_in_full() {
        assert_eq!(size("base64", &["aGk=", "aGk="]), 4);
    }

    #[test]
    fn quoted_printable_counts_escapes_once_and_soft_breaks_not_at_all() {
        assert_eq!(size("quoted-printable", &["Z=C3=AB x=", "y"]), 6);
        assert_eq!(size("quoted-printable", &["a= \t", "b"]), 2);
        assert_eq!(size("quoted-printable", &["a", "b"]), 4);
    }

    #[test]
    fn quoted_printable_drops_blanks_at_the_end_of_a_line() {
        assert_eq!(size("quoted-printable", &["a \t", "b c  "]), 6);
    }

    #[test]
    fn broken_escapes_stand_for_themselves() {
        assert_eq!(size("quoted-printable", &["=zz =4"]), 6);
        assert_eq!(size("quoted-printable", &["= x", "=4", "="]), 3 + 2 + 2 + 2);
        assert_eq!(size("quoted-printable", &["==41"]), 2);
    }

    #[test]
    fn an_unknown_encoding_counts_as_sent() {
        assert_eq!(size("x-uuencode", &["abc", "d"]), 6);
    }
}
