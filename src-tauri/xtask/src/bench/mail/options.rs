//! What may be asked of `cargo xtask bench mail`.

use anyhow::{Context, Result, bail};

use super::peer::Kind;

/// How the options are written.
pub const USAGE: &str = "\
cargo xtask bench mail
  --runs N          how often everything is measured; medians are printed (3)
  --only WORDS      only scenarios with these words in their names
  --servers A,B     only these of Postfix, ceiling, Postroom
  --folder FOLDER   where mail is kept meanwhile, on the disk under test (target/bench/mail)
  --waiting N       messages that wait for a dead next hop (50000)
  --undisturbed     give servers and load twenty times the processor share of another program; takes root
POSTROOMD in the environment names another program than the one that is built here.";

/// The options, or what stands for them.
pub struct Options {
    /// How often everything is measured.
    pub runs: usize,
    /// Words that the name of a scenario holds.
    pub only: Option<String>,
    /// The servers.
    pub servers: Vec<Kind>,
    /// Where mail is kept.
    pub folder: Option<String>,
    /// Messages that wait for a dead next hop.
    pub waiting: u64,
    /// Whether other programs are pushed aside.
    pub undisturbed: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runs: 3,
            only: None,
            servers: Kind::ALL.to_vec(),
            folder: None,
            waiting: 50_000,
            undisturbed: false,
        }
    }
}

impl Options {
    /// Reads them from the command line.
    pub fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            if word == "--undisturbed" {
                options.undisturbed = true;
                continue;
            }
            let value = words.next().with_context(|| {
                format!("`{word}` is not understood, or lacks a value\n{USAGE}")
            })?;
            match word {
                "--runs" => options.runs = number(value)?,
                "--only" => options.only = Some(value.to_owned()),
                "--servers" => {
                    options.servers = value.split(',').map(server).collect::<Result<_>>()?
                }
                "--folder" => options.folder = Some(value.to_owned()),
                "--waiting" => options.waiting = number(value)?,
                _ => bail!("`{word}` is not understood\n{USAGE}"),
            }
        }
        Ok(options)
    }

    /// Whether a scenario of this name is asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|words| name.contains(words))
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N> {
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => bail!("`{text}` is no number that fits here"),
    }
}

fn server(name: &str) -> Result<Kind> {
    Kind::ALL
        .into_iter()
        .find(|kind| kind.name().eq_ignore_ascii_case(name))
        .with_context(|| format!("`{name}` is no server that is measured\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_in_any_order() {
        let options =
            Options::parse(&["--undisturbed", "--servers", "postroom", "--runs", "5"]).unwrap();
        assert!(options.undisturbed);
        assert_eq!((options.runs, options.servers), (5, vec![Kind::Postroom]));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for wrong in [
            &["--runs"][..],
            &["--runs", "many"],
            &["--servers", "exim"],
            &["now", "1"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
