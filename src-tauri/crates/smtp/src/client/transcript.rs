//! What was said on a connection, for people: bounded, and without anything that gives a password away.

use std::collections::VecDeque;
use std::fmt;

use super::Phase;

/// Most lines that are kept; older ones go.
const MAX_LINES: usize = 300;
/// Longest line in characters.
const MAX_CHARS: usize = 500;

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// We did.
    Client,
    /// The other server did.
    Server,
    /// Nobody: what happened on the way.
    Note,
}

/// One line of a transcript: printable, at most 500 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When in the conversation.
    pub phase: Phase,
    /// Who.
    pub side: Side,
    /// The line as it was, secrets replaced.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.side {
            Side::Client => "C:",
            Side::Server => "S:",
            Side::Note => "--",
        };
        write!(f, "{mark} {}", self.text)
    }
}

/// The latest lines of a connection.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    lines: VecDeque<Line>,
    /// Lines that were dropped from the front.
    dropped: usize,
}

impl Transcript {
    /// The lines that are kept, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// A place in the transcript: its end now.
    pub fn end(&self) -> usize {
        self.dropped + self.lines.len()
    }

    /// The lines after a place that [`Transcript::end`] gave.
    pub fn since(&self, place: usize) -> impl Iterator<Item = &Line> {
        self.lines.iter().skip(place.saturating_sub(self.dropped))
    }

    pub(super) fn add(&mut self, phase: Phase, side: Side, text: &str) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
            self.dropped += 1;
        }
        let text = one_line(text, MAX_CHARS);
        self.lines.push_back(Line { phase, side, text });
    }
}

/// A text as one line of at most `longest` characters: nothing in it ends the line, commands a terminal, or turns the
/// letters around it the other way.
pub(super) fn one_line(text: &str, longest: usize) -> String {
    let mut line: String = text
        .chars()
        .take(longest)
        .map(|c| match c {
            _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
            _ if turns_letters(c) => char::REPLACEMENT_CHARACTER,
            _ => c,
        })
        .collect();
    if text.chars().nth(longest).is_some() {
        line.pop();
        line.push('…');
    }
    line
}

/// The characters with `Bidi_Control` (UAX #9 §2): unseen, they change in which order the others are shown.
fn turns_letters(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_go_and_places_stay_true() {
        let mut transcript = Transcript::default();
        for number in 0..MAX_LINES + 10 {
            transcript.add(Phase::Mail, Side::Client, &format!("{number}\r\n"));
        }
        let place = transcript.end();
        transcript.add(Phase::Mail, Side::Server, &"ü".repeat(1000));
        assert_eq!(transcript.lines().count(), MAX_LINES);
        let new: Vec<&Line> = transcript.since(place).collect();
        assert!(new.len() == 1 && new[0].text.chars().count() == MAX_CHARS);
        assert_eq!(transcript.lines().next().unwrap().text, "11  ");
    }

    #[test]
    fn nothing_unseen_is_left_in_a_line() {
        let line = one_line("a\u{0}b\u{1b}[2Jc\u{9b}d\u{2028}e\r\n", 50);
        assert_eq!(line, "a b [2Jc d e  ");
        for turns in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars() {
            assert_eq!(one_line(&format!("a{turns}b"), 50), "a\u{fffd}b", "{turns:?}");
        }
        // What belongs to a script stays, also where it runs from right to left.
        assert_eq!(one_line("שלום \u{200d}ä", 50), "שלום \u{200d}ä");
    }
}
