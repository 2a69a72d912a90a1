//! The table that is printed at the end.

use super::peer::Kind;

/// What a line is judged by.
#[derive(Clone, Copy)]
pub enum Aim {
    /// This much or more.
    AtLeast(f64),
    /// This much or less.
    AtMost(f64),
}

impl Aim {
    fn is_reached(self, value: f64) -> bool {
        match self {
            Self::AtLeast(aim) => value >= aim,
            Self::AtMost(aim) => value <= aim,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(aim) => format!("≥ {aim}"),
            Self::AtMost(aim) => format!("≤ {aim}"),
        }
    }
}

/// A line.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The servers' numbers, in the order of [`Kind::ALL`].
    pub numbers: [Option<f64>; 3],
    /// Ours divided by another one.
    pub ratio: Option<f64>,
    /// What is hoped for.
    pub aim: Aim,
    /// The number that the aim is about: the ratio, or Postroom's own.
    pub judged: Option<f64>,
}

impl Row {
    fn text(&self) -> String {
        let [postfix, ceiling, postroom] = self.numbers.map(rounded);
        let ratio = self
            .ratio
            .map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let reached = match self.judged {
            Some(value) if self.aim.is_reached(value) => "yes",
            Some(_) => "NO",
            None => "not measured",
        };
        let (what, aim) = (&self.what, self.aim.text());
        format!("| {what} | {postfix} | {ceiling} | {postroom} | {ratio} | {aim} | {reached} |")
    }
}

/// Three significant digits.
fn rounded(number: Option<f64>) -> String {
    match number {
        None => "–".to_owned(),
        Some(number) if number >= 100.0 => format!("{number:.0}"),
        Some(number) if number >= 10.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.2}"),
    }
}

/// Prints all lines.
pub fn print(rows: &[Row]) {
    let [postfix, ceiling, postroom] = Kind::ALL.map(Kind::name);
    println!(
        "\n| what | {postfix} | {ceiling} | {postroom} | {postroom} ÷ {postfix} | aim | reached |"
    );
    println!("|---|---:|---:|---:|---:|---:|---|");
    for row in rows {
        println!("{}", row.text());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_reached_and_what_was_not_measured() {
        let row = |ratio, judged| Row {
            what: "load".to_owned(),
            numbers: [Some(705.4), None, Some(9.876)],
            ratio,
            aim: Aim::AtLeast(3.2),
            judged,
        };
        assert_eq!(
            row(Some(3.25), Some(3.25)).text(),
            "| load | 705 | – | 9.88 | 3.25 | ≥ 3.2 | yes |"
        );
        assert!(row(None, Some(1.0)).text().ends_with("NO |"));
        assert!(row(None, None).text().ends_with("| not measured |"));
        assert!(Aim::AtMost(1.0).is_reached(1.0) && !Aim::AtMost(1.0).is_reached(1.1));
    }
}
