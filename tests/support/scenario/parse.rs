//! The text of a scenario file.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::matching::is_enhanced;
use super::{Expected, Message, Placed, Port, Saying, Scenario, Step, password, world};

/// A document in a file may have so many lines.
const LONGEST_DOCUMENT: usize = 100;

/// Reads a file; `name` stands in the errors.
pub fn file(name: &str, text: &str) -> Result<Vec<Scenario>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut reading = Reading {
        settings: Value::Object(serde_json::Map::new()),
        scenarios: Vec::new(),
        message: None,
    };
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        let used = reading.line(number, line, lines.get(at..).unwrap_or_default());
        at += used.with_context(|| format!("{name}:{number}"))?;
    }
    ensure!(
        reading.message.is_none(),
        "{name}: a message is not sent by the end of the file"
    );
    ensure!(
        !reading.scenarios.is_empty(),
        "{name}: there is no scenario in it"
    );
    Ok(reading.scenarios)
}

struct Reading {
    settings: Value,
    scenarios: Vec<Scenario>,
    /// The message that is being written.
    message: Option<Message>,
}

impl Reading {
    /// Reads one line, or more of `rest`, which begins with it, when a document goes on; says how many.
    fn line(&mut self, number: usize, line: &str, rest: &[&str]) -> Result<usize> {
        let (word, argument) = line
            .trim_end()
            .split_once(' ')
            .unwrap_or((line.trim_end(), ""));
        if word.starts_with('#') || (word.is_empty() && argument.is_empty()) {
            return Ok(1);
        }
        match word {
            "settings" => {
                let (document, used) = document(argument, rest)?;
                self.settings = document;
                return Ok(used);
            }
            "scenario" => self.begin(number, argument)?,
            "apply" | "takes" | "refuses" => {
                return self.about_settings(number, word, argument, rest);
            }
            "|" | "received" | "attachment" | "fill" => self.write(word, argument)?,
            "." | "bdat" => self.send(number, word, argument)?,
            "<" | "<+" | "<-" => self.expect(word, argument)?,
            _ => {
                ensure!(
                    self.message.is_none(),
                    "the message above is not sent yet: `.` or `bdat` is missing"
                );
                self.step(number, step(word, argument)?)?;
            }
        }
        Ok(1)
    }

    fn begin(&mut self, line: usize, name: &str) -> Result<()> {
        ensure!(self.message.is_none(), "the message above is not sent yet");
        ensure!(!name.is_empty(), "a scenario needs a name");
        ensure!(
            self.scenarios.iter().all(|other| other.name != name),
            "this name is taken in this file"
        );
        self.scenarios.push(Scenario {
            name: name.into(),
            line,
            settings: self.settings.clone(),
            steps: Vec::new(),
        });
        Ok(())
    }

    fn step(&mut self, line: usize, step: Step) -> Result<()> {
        let scenario = self
            .scenarios
            .last_mut()
            .context("`scenario` must come first")?;
        scenario.steps.push(Placed { line, step });
        Ok(())
    }

    fn about_settings(
        &mut self,
        number: usize,
        word: &str,
        argument: &str,
        rest: &[&str],
    ) -> Result<usize> {
        let (path, code, json) = match word {
            "refuses" => {
                let mut words = argument.splitn(3, ' ');
                let (path, code) = (
                    words.next().unwrap_or_default(),
                    words.next().context("a path and a code are needed")?,
                );
                (
                    path,
                    code,
                    words.next().context("the settings are missing")?,
                )
            }
            _ => ("", "", argument),
        };
        let (document, used) = document(json, rest)?;
        self.step(
            number,
            match word {
                "apply" => Step::Apply(document),
                "takes" => Step::Takes(document),
                _ => Step::Refuses(path.into(), code.into(), document),
            },
        )?;
        Ok(used)
    }

    fn write(&mut self, word: &str, argument: &str) -> Result<()> {
        let message = self.message.get_or_insert_default();
        match word {
            "|" => message.lines.push(argument.into()),
            "received" => message.add_received(number(argument)?),
            "attachment" => {
                let (name, size) = argument
                    .rsplit_once(' ')
                    .context("a name and a size are needed")?;
                message.attachments.push((name.into(), number(size)?));
            }
            _ => message.fill = Some(number(argument)?),
        }
        Ok(())
    }

    fn send(&mut self, line: usize, word: &str, argument: &str) -> Result<()> {
        let message = self.message.take().context("there is no message to send")?;
        message.octets()?;
        let saying = match (word, argument) {
            (".", "") => Saying::Data(message),
            ("bdat", "") => Saying::Chunk(message, false),
            ("bdat", "last") => Saying::Chunk(message, true),
            _ => bail!("`{argument}` cannot stand here"),
        };
        self.step(line, Step::Exchange(saying, Vec::new()))
    }

    fn expect(&mut self, word: &str, argument: &str) -> Result<()> {
        let expected = match word {
            "<+" => Expected::Holds(argument.into()),
            "<-" => Expected::Lacks(argument.into()),
            _ => reply(argument)?,
        };
        let last = self
            .scenarios
            .last_mut()
            .and_then(|scenario| scenario.steps.last_mut());
        match last.map(|placed| &mut placed.step) {
            Some(Step::Exchange(_, list)) if self.message.is_none() => list.push(expected),
            _ => bail!("nothing was said that could be replied to"),
        }
        Ok(())
    }
}

fn two<'a>(word: &str, argument: &'a str) -> Result<(&'a str, &'a str)> {
    argument
        .split_once(' ')
        .with_context(|| format!("`{word}` needs two words"))
}

fn step(word: &str, argument: &str) -> Result<Step> {
    Ok(match word {
        "client" => {
            let (address, port) = two(word, argument)?;
            let address: IpAddr = address
                .parse()
                .with_context(|| format!("`{address}` is no address"))?;
            said(Saying::Connect(address, self::port(port)?))
        }
        ">" => said(Saying::Lines(expand(argument)?)),
        ">>" => said(Saying::Ahead(argument.into())),
        "also" => said(Saying::Nothing),
        "tls" => said(Saying::Tls),
        "login" => {
            let (name, given) = argument.split_once(' ').unwrap_or((argument, ""));
            let user = name.split('@').next().unwrap_or_default();
            let given = if given.is_empty() {
                password(user)
            } else {
                given.into()
            };
            said(Saying::Login(name.into(), given))
        }
        "policy-only" => {
            ensure!(!argument.is_empty(), "`policy-only` needs a reason");
            Step::PolicyOnly
        }
        other => match world::line(other, argument)? {
            Some(world) => Step::World(world),
            None => afterwards(other, argument)?,
        },
    })
}

/// What is so when all is over.
fn afterwards(word: &str, argument: &str) -> Result<Step> {
    let two = || two(word, argument);
    Ok(match word {
        "closed" => Step::Closed,
        "delivered" => {
            let (user, count) = two()?;
            Step::Delivered(user.into(), number(count)?)
        }
        "letter" => {
            let (user, text) = two()?;
            Step::Letter(user.into(), text.into())
        }
        "decided" if argument == "-" => Step::Decided(String::new()),
        "decided" => Step::Decided(argument.into()),
        "waits" => {
            let (destination, count) = two()?;
            Step::Waits(destination.into(), number(count)?)
        }
        "trace" => {
            let (check, rest) = two()?;
            let (result, text) = rest.split_once(' ').unwrap_or((rest, ""));
            ensure!(
                ["pass", "skip", "refuse", "note"].contains(&result),
                "`{result}` is no result of a check"
            );
            Step::Trace(check.into(), result.into(), text.into())
        }
        "outcome" => Step::Outcome(argument.into()),
        other => bail!("`{other}` is not a word of scenarios"),
    })
}

fn said(saying: Saying) -> Step {
    Step::Exchange(saying, Vec::new())
}

fn port(word: &str) -> Result<Port> {
    Ok(match word {
        "smtp" => Port::Smtp,
        "submission" => Port::Submission,
        "submissions" => Port::Submissions,
        other => bail!("`{other}` is no port; there are smtp, submission and submissions"),
    })
}

fn reply(argument: &str) -> Result<Expected> {
    let (code, rest) = argument.split_once(' ').unwrap_or((argument, ""));
    let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let code = code.parse().ok().filter(|code| (200..600).contains(code));
    let code = code.with_context(|| format!("`{argument}` does not begin with a reply code"))?;
    Ok(if is_enhanced(first) {
        Expected::Reply {
            code,
            enhanced: Some(first.into()),
            text: text.into(),
        }
    } else {
        Expected::Reply {
            code,
            enhanced: None,
            text: rest.into(),
        }
    })
}

/// `{A..B}` stands for each number from A to B.
fn expand(line: &str) -> Result<Vec<String>> {
    let range = line.split_once('{').and_then(|(head, rest)| {
        let (range, tail) = rest.split_once('}')?;
        let (first, last) = range.split_once("..")?;
        Some((head, first, last, tail))
    });
    let Some((head, first, last, tail)) = range else {
        return Ok(vec![line.into()]);
    };
    let (first, last) = (number(first)?, number(last)?);
    ensure!(
        first <= last && last - first < 20_000,
        "{first}..{last} is no range"
    );
    Ok((first..=last).map(|n| format!("{head}{n}{tail}")).collect())
}

fn number(word: &str) -> Result<usize> {
    word.replace('_', "")
        .parse()
        .with_context(|| format!("`{word}` is no number"))
}

/// A JSON document that begins with `first`, at the end of the first line of `rest`, and may go on below; and how
/// many lines it has.
fn document(first: &str, rest: &[&str]) -> Result<(Value, usize)> {
    let mut text = first.to_owned();
    for used in 1..=LONGEST_DOCUMENT {
        match serde_json::from_str(&text) {
            Ok(value) => return Ok((value, used)),
            Err(error) if error.is_eof() => {}
            Err(error) => return Err(error).context("the settings are no JSON"),
        }
        text.push('\n');
        text.push_str(rest.get(used).context("the settings do not end")?);
    }
    bail!("the settings have more than {LONGEST_DOCUMENT} lines")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", file("general/x.txt", text).unwrap_err())
    }

    #[test]
    fn an_error_names_file_and_line() {
        let text = "scenario one\nclient 127.0.0.5 smtp\nsay hello\n";
        assert_eq!(
            error(text),
            "general/x.txt:3: `say` is not a word of scenarios"
        );
        assert!(
            error("scenario one\n\nclient nowhere smtp")
                .starts_with("general/x.txt:3: `nowhere` is no address")
        );
        assert!(
            error("client 127.0.0.5 smtp")
                .starts_with("general/x.txt:1: `scenario` must come first")
        );
        assert!(
            error("scenario a\nclient 127.0.0.5 smtp\n< hello").starts_with("general/x.txt:3: ")
        );
        assert!(
            error("settings {\"a\": \nscenario")
                .starts_with("general/x.txt:1: the settings are no JSON")
        );
        assert!(
            error("scenario a\n| text\n> QUIT")
                .starts_with("general/x.txt:3: the message above is not sent")
        );
    }

    #[test]
    fn settings_hold_until_the_next_ones_and_can_have_several_lines() {
        let text = "settings {\"general\":\n  {\"max_hops\": 3}}\nscenario a\nscenario b\nsettings {}\nscenario c";
        let scenarios = file("x", text).unwrap();
        assert_eq!(scenarios[1].settings["general"]["max_hops"], 3);
        assert_eq!(scenarios[2].settings, serde_json::json!({}));
        assert_eq!(scenarios[2].line, 6);
    }

    #[test]
    fn a_reply_has_a_code_perhaps_an_enhanced_one_and_text() {
        let expected = |enhanced: Option<&str>, text: &str| Expected::Reply {
            code: 250,
            enhanced: enhanced.map(Into::into),
            text: text.into(),
        };
        assert_eq!(reply("250").unwrap(), expected(None, ""));
        assert_eq!(
            reply("250 2.1.0 sender ok").unwrap(),
            expected(Some("2.1.0"), "sender ok")
        );
        assert_eq!(reply("250 SIZE 10").unwrap(), expected(None, "SIZE 10"));
        assert!(reply("ok").is_err());
    }

    #[test]
    fn a_range_of_numbers_makes_a_line_of_each() {
        assert_eq!(
            expand("RCPT TO:<a+{9..11}@b>").unwrap(),
            ["RCPT TO:<a+9@b>", "RCPT TO:<a+10@b>", "RCPT TO:<a+11@b>"]
        );
        assert_eq!(expand("NOOP {x}").unwrap(), ["NOOP {x}"]);
        assert!(expand("{3..1}").is_err());
    }
}
