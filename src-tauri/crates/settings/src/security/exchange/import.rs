//! The rules of a file among those that are there.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Draft, FileLine, Mistake};
use crate::Problem;
use crate::security::lists::{Criterion, ListAction, ListKind, ListRule, Lists, MAX_RULES};
use crate::security::value::ListValue;

/// What would become of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ImportVerdict {
    /// A new rule.
    Added,
    /// It replaces the rule of its name.
    Changed,
    /// Such a rule is there already.
    Same,
    /// There is another rule of its name, which is left alone.
    Kept,
    /// It is wrong.
    Refused,
    /// It says something that no rule here can say.
    Unsupported,
}

/// The verdict on a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ListImportLine {
    /// Its number, from 1.
    pub line: usize,
    /// Its beginning.
    pub text: String,
    /// What would become of it.
    pub verdict: ImportVerdict,
    /// The rule, where there is one.
    pub rule: Option<ListRule>,
    /// A stable word for what is wrong; empty otherwise.
    pub code: String,
    /// What is wrong, or worth a word; empty otherwise.
    pub message: String,
}

/// What becomes of a line whose name is taken by a rule that says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum OnExisting {
    /// The rule stays, the line is passed over.
    #[default]
    Keep,
    /// The line replaces the rule.
    Replace,
}

/// What a file comes to.
#[derive(Debug, Clone)]
pub struct Import {
    /// The rules with those of the file; lines that are wrong are left out.
    pub lists: Lists,
    /// Every line that holds a rule, or should.
    pub lines: Vec<ListImportLine>,
    /// What is wrong with the whole, so that it cannot be stored.
    pub problems: Vec<Problem>,
}

impl Import {
    /// How many lines ended so.
    pub fn count(&self, verdict: ImportVerdict) -> usize {
        let same = |line: &&ListImportLine| line.verdict == verdict;
        self.lines.iter().filter(same).count()
    }

    /// How many lines are no rules.
    pub fn refused(&self) -> usize {
        self.count(ImportVerdict::Refused) + self.count(ImportVerdict::Unsupported)
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.refused() == 0
    }
}

/// Puts the lines of a file among `lists`. A line without a name gets one from its value.
pub fn import(lists: &Lists, lines: Vec<FileLine>, existing: OnExisting) -> Import {
    let mut among = Among::of(lists.rules(), existing);
    let lines = lines.into_iter().map(|line| among.take(line)).collect();
    let lists = Lists::from(among.rules).in_order();
    let problems = lists.check();
    Import {
        lists,
        lines,
        problems,
    }
}

/// What two rules without names are compared by.
type Meaning = (ListKind, Criterion, String, ListAction);

struct Among {
    existing: OnExisting,
    rules: Vec<ListRule>,
    /// Folded names, and where.
    names: HashMap<String, usize>,
    meanings: HashMap<Meaning, usize>,
    /// Folded names that the file has given.
    given: HashSet<String>,
    /// Where to go on counting for a name that was made from a value.
    counted: HashMap<String, u32>,
}

impl Among {
    fn of(rules: &[ListRule], existing: OnExisting) -> Self {
        let mut among = Self {
            existing,
            rules: Vec::new(),
            names: HashMap::new(),
            meanings: HashMap::new(),
            given: HashSet::new(),
            counted: HashMap::new(),
        };
        for rule in rules {
            among.add(rule.clone());
        }
        among
    }

    fn add(&mut self, rule: ListRule) {
        let at = self.rules.len();
        self.names.insert(rule.name.to_lowercase(), at);
        if let Some(meaning) = meaning(&rule) {
            self.meanings.entry(meaning).or_insert(at);
        }
        self.rules.push(rule);
    }

    fn take(&mut self, line: FileLine) -> ListImportLine {
        let (verdict, rule, code, message) = match line.rule.and_then(|draft| self.enter(draft)) {
            Ok((verdict, rule)) => {
                let message = match verdict {
                    ImportVerdict::Kept => Some("there is another rule of this name".into()),
                    _ => rule.notes().into_iter().next().map(|note| note.message),
                };
                (
                    verdict,
                    Some(rule),
                    String::new(),
                    message.unwrap_or_default(),
                )
            }
            Err(mistake) => {
                let verdict = if mistake.is_unsupported() {
                    ImportVerdict::Unsupported
                } else {
                    ImportVerdict::Refused
                };
                (verdict, None, mistake.code, mistake.message)
            }
        };
        ListImportLine {
            line: line.number,
            text: line.text,
            verdict,
            rule,
            code,
            message,
        }
    }

    fn enter(&mut self, draft: Draft) -> Result<(ImportVerdict, ListRule), Mistake> {
        let named = draft.name.is_some();
        let mut rule = ListRule {
            name: draft
                .name
                .map_or_else(|| "-".into(), |name| name.trim().into()),
            list: draft.list,
            criterion: draft.criterion,
            value: draft.value,
            action: draft.action,
            enabled: draft.enabled,
            comment: draft.comment.trim().into(),
        };
        if let Some(problem) = rule.check("").into_iter().next() {
            return Err(Mistake::new(problem.code, problem.message));
        }
        if !named {
            let there = meaning(&rule).and_then(|meaning| self.meanings.get(&meaning));
            if let Some(there) = there.and_then(|at| self.rules.get(*at)) {
                return Ok((ImportVerdict::Same, there.clone()));
            }
            rule.name = self.free_name(&rule.value);
        }
        let folded = rule.name.to_lowercase();
        if !self.given.insert(folded.clone()) {
            let words = format!("an earlier line has the name \"{}\" already", rule.name);
            return Err(Mistake::new("taken", words));
        }
        if let Some(known) = self
            .names
            .get(&folded)
            .and_then(|at| self.rules.get_mut(*at))
        {
            if same(known, &rule) {
                return Ok((ImportVerdict::Same, known.clone()));
            }
            if self.existing == OnExisting::Keep {
                return Ok((ImportVerdict::Kept, rule));
            }
            *known = rule.clone();
            return Ok((ImportVerdict::Changed, rule));
        }
        if self.rules.len() >= MAX_RULES {
            let words = format!("at most {MAX_RULES} rules are allowed");
            return Err(Mistake::new("too_many", words));
        }
        self.add(rule.clone());
        Ok((ImportVerdict::Added, rule))
    }

    /// The value, or the value and a number.
    fn free_name(&mut self, value: &str) -> String {
        let base: String = value.trim().chars().take(56).collect();
        let base = base.trim();
        let counted = self.counted.entry(base.to_lowercase()).or_default();
        loop {
            *counted += 1;
            let name = match *counted {
                1 => base.to_owned(),
                number => format!("{base} {number}"),
            };
            if !self.names.contains_key(&name.to_lowercase()) {
                return name;
            }
        }
    }
}

/// What becomes of a message; on the white list the word has no meaning.
fn action(rule: &ListRule) -> ListAction {
    match rule.list {
        ListKind::White => ListAction::Reject,
        ListKind::Black => rule.action,
    }
}

fn meaning(rule: &ListRule) -> Option<Meaning> {
    let value = ListValue::parse(rule.criterion, &rule.value).ok()?;
    Some((rule.list, rule.criterion, value.to_string(), action(rule)))
}

/// Whether both say the same, however the value is spelt.
fn same(a: &ListRule, b: &ListRule) -> bool {
    a.name == b.name
        && a.list == b.list
        && a.criterion == b.criterion
        && action(a) == action(b)
        && a.enabled == b.enabled
        && a.comment.trim() == b.comment.trim()
        && (a.value == b.value || meaning(a).map(|m| m.2) == meaning(b).map(|m| m.2))
}
