//! The steps of a test, told as they go.

use std::time::Instant;

use serde::Serialize;
use server::deliver::link::{Line, Phase};
use ts_rs::TS;

use super::SeenCertificate;

/// Lines kept of each step.
const MAX_LINES: usize = 200;

/// A step of the test. With TLS from the first byte, `tls` comes before `greeting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// Looking the name up.
    Dns,
    /// Connecting.
    Connect,
    /// The first line of the relay.
    Greeting,
    /// EHLO.
    Ehlo,
    /// Encryption and certificate.
    Tls,
    /// Signing in.
    Auth,
    /// MAIL, RCPT and RSET.
    Mail,
    /// QUIT.
    Quit,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// Under way.
    Running,
    /// Went well.
    Passed,
    /// Went wrong; of the later ones only the goodbye may be tried.
    Failed,
    /// Was not needed, or could not be tried any more.
    Skipped,
}

/// What is known of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RelayStep {
    /// Which.
    pub step: StepName,
    /// How far it is.
    pub result: StepResult,
    /// What it came to and what to do, in words; empty while it runs.
    pub text: String,
    /// What was said, with `C:` for our lines, `S:` for the relay's and `--` for what happened beside. No password is in it.
    pub transcript: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The certificate that the relay showed, in the step `tls`.
    pub certificate: Option<SeenCertificate>,
}

impl StepName {
    const ALL: [Self; 8] = [
        Self::Dns,
        Self::Connect,
        Self::Greeting,
        Self::Ehlo,
        Self::Tls,
        Self::Auth,
        Self::Mail,
        Self::Quit,
    ];

    /// The step in which something happened; `None` for what can happen in any.
    pub(super) fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Connect => Some(Self::Connect),
            Phase::Greeting => Some(Self::Greeting),
            Phase::Hello => Some(Self::Ehlo),
            Phase::Tls => Some(Self::Tls),
            Phase::Auth => Some(Self::Auth),
            Phase::Mail | Phase::Rcpt | Phase::Reset => Some(Self::Mail),
            Phase::Data | Phase::Content | Phase::End | Phase::Idle | Phase::Quit => None,
        }
    }
}

/// All steps so far, and who is told.
pub(super) struct Steps<'a> {
    all: Vec<RelayStep>,
    /// Since when the last one runs.
    since: Option<Instant>,
    /// The lines decide which step it is.
    pub(super) opening: bool,
    say: &'a mut (dyn FnMut(&RelayStep) + Send),
}

impl<'a> Steps<'a> {
    pub(super) fn new(say: &'a mut (dyn FnMut(&RelayStep) + Send)) -> Self {
        Self {
            all: Vec::new(),
            since: None,
            opening: false,
            say,
        }
    }

    /// Begins a step; one that runs has gone well.
    pub(super) fn begin(&mut self, step: StepName) {
        self.end_current();
        self.since = Some(Instant::now());
        self.add(step, StepResult::Running, String::new());
    }

    fn add(&mut self, step: StepName, result: StepResult, text: String) {
        let step = RelayStep {
            step,
            result,
            text,
            transcript: Vec::new(),
            took_ms: 0,
            certificate: None,
        };
        (self.say)(&step);
        self.all.push(step);
    }

    pub(super) fn is_at(&self, step: StepName) -> bool {
        self.since.is_some() && self.all.last().is_some_and(|last| last.step == step)
    }

    /// Takes a line of the conversation. While that is being opened, the first line of a later step begins that step:
    /// after STARTTLS a second EHLO stays where it is.
    pub(super) fn hear(&mut self, line: &Line) {
        if self.opening
            && let Some(step) = StepName::of(line.phase)
            && !self.all.iter().any(|known| known.step == step)
        {
            self.begin(step);
        }
        let Some(last) = self.all.last_mut() else {
            return;
        };
        if last.transcript.len() < MAX_LINES {
            last.transcript.push(line.to_string());
            (self.say)(last);
        }
    }

    /// The step that runs has gone well; what was said tells how.
    pub(super) fn end_current(&mut self) {
        if self.since.is_some() {
            let text = self.all.last().map(summary).unwrap_or_default();
            self.pass(text);
        }
    }

    /// The step that runs has gone well.
    pub(super) fn pass(&mut self, text: String) {
        self.end(StepResult::Passed, text);
    }

    fn end(&mut self, result: StepResult, text: String) {
        let (Some(since), Some(last)) = (self.since.take(), self.all.last_mut()) else {
            return;
        };
        last.result = result;
        last.text = text;
        last.took_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        (self.say)(last);
    }

    /// This step has gone wrong, or the one that runs.
    pub(super) fn fail(&mut self, step: Option<StepName>, text: String) {
        if let Some(step) = step
            && !self.all.iter().any(|known| known.step == step)
        {
            self.begin(step);
        }
        self.end(StepResult::Failed, text);
    }

    /// This step is not done, if it was not.
    pub(super) fn skip(&mut self, step: StepName, text: String) {
        match self.all.iter_mut().find(|known| known.step == step) {
            // It was begun, and the conversation went on without it.
            Some(known) => {
                known.result = StepResult::Skipped;
                known.text = text;
                (self.say)(known);
            }
            None => self.add(step, StepResult::Skipped, text),
        }
    }

    /// More is known of a step that went well.
    pub(super) fn amend(&mut self, step: StepName, text: String) {
        if let Some(known) = self.all.iter_mut().find(|known| known.step == step) {
            known.text = text;
            (self.say)(known);
        }
    }

    /// The relay showed this certificate.
    pub(super) fn saw(&mut self, certificate: SeenCertificate) {
        let tls = |known: &&mut RelayStep| known.step == StepName::Tls;
        if let Some(known) = self.all.iter_mut().find(tls) {
            known.certificate = Some(certificate);
            (self.say)(known);
        }
    }

    /// Ends the test: what was not tried is skipped.
    pub(super) fn over(mut self) -> Vec<RelayStep> {
        for step in StepName::ALL {
            if !self.all.iter().any(|known| known.step == step) {
                self.add(step, StepResult::Skipped, "not tried".into());
            }
        }
        self.all
    }
}

/// What a step that went well came to: its last line, or all that the relay offers.
fn summary(step: &RelayStep) -> String {
    if step.step == StepName::Ehlo {
        let said = step
            .transcript
            .iter()
            .filter_map(|line| line.strip_prefix("S: 250 "));
        // The first line is a greeting.
        let offers: Vec<&str> = said.skip(1).collect();
        if !offers.is_empty() {
            return format!("the relay offers {}", offers.join(", "));
        }
    }
    let last = step.transcript.last().map_or("", String::as_str);
    ["S: ", "-- "]
        .iter()
        .find_map(|mark| last.strip_prefix(mark))
        .unwrap_or(last)
        .to_owned()
}
