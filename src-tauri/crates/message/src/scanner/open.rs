//! A part that holds other parts, while it is open.

/// A part that holds other parts.
#[derive(Debug)]
pub(super) struct Open {
    /// Index in the scan's parts.
    pub(super) part: usize,
    pub(super) holds: Holds,
}

/// What an open part holds.
#[derive(Debug)]
pub(super) enum Holds {
    Message,
    Multipart {
        boundary: Vec<u8>,
        /// What a part without a content type is.
        default_type: &'static str,
        started: bool,
        closed: bool,
    },
}

impl Open {
    /// Whether a line may be a boundary of it.
    pub(super) fn expects_boundary(&self) -> bool {
        matches!(self.holds, Holds::Multipart { closed: false, .. })
    }

    /// What follows the boundary of this multipart in a line (without its hyphens): nothing or `--`, then white
    /// space. `None` when the line is no boundary of this multipart.
    pub(super) fn match_boundary<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let Holds::Multipart {
            boundary,
            closed: false,
            ..
        } = &self.holds
        else {
            return None;
        };
        let tail = line.strip_prefix(boundary.as_slice())?;
        let padding = tail.strip_prefix(b"--").unwrap_or(tail);
        // RFC 2046 §5.1.1: transport-padding.
        let blank = padding.iter().all(|octet| matches!(octet, b' ' | b'\t'));
        blank.then_some(tail)
    }

    /// Notes that its boundary was passed, and returns what the next part is when it does not say; `None` when no
    /// part follows.
    pub(super) fn pass_boundary(&mut self, closes: bool) -> Option<&'static str> {
        let Holds::Multipart {
            started,
            closed,
            default_type,
            ..
        } = &mut self.holds
        else {
            return None;
        };
        *started = true;
        *closed = closes;
        (!closes).then_some(*default_type)
    }
}
