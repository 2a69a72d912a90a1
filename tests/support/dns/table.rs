//! What the test's name server knows, and the answers that follow from it.

use std::collections::BTreeMap;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::{Mood, plain};

/// Aliases followed from one name to the next.
const LONGEST_CHAIN: usize = 8;

/// Records and moods by name, in lower case without the final dot.
#[derive(Debug)]
pub(super) struct Table {
    pub records: BTreeMap<String, Vec<RData>>,
    pub moods: BTreeMap<String, Mood>,
    /// Seconds.
    pub ttl: u32,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
            moods: BTreeMap::new(),
            ttl: 60,
        }
    }
}

impl Table {
    pub fn add(&mut self, name: &Name, data: RData) {
        self.records
            .entry(plain(&name.to_ascii()))
            .or_default()
            .push(data);
    }

    pub fn forget(&mut self, name: &str) {
        self.records.remove(&plain(name));
        self.moods.remove(&plain(name));
    }

    /// The answer and how long to wait with it; `None` for silence.
    pub fn answer(&self, question: &Message, query: &Query) -> Option<(Message, Duration)> {
        let mut answer = Message::new(
            question.metadata.id,
            MessageType::Response,
            question.metadata.op_code,
        );
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        let mut wait = Duration::ZERO;
        match self.moods.get(&plain(&query.name().to_ascii())) {
            Some(Mood::Silent) => return None,
            Some(Mood::Fails) => answer.metadata.response_code = ResponseCode::ServFail,
            Some(Mood::Refuses) => answer.metadata.response_code = ResponseCode::Refused,
            Some(Mood::WrongNumber) => {
                answer.metadata.id = answer.metadata.id.wrapping_add(1);
                self.look_up(&mut answer, query);
            }
            Some(Mood::Late(by)) => {
                wait = *by;
                self.look_up(&mut answer, query);
            }
            None => self.look_up(&mut answer, query),
        }
        Some((answer, wait))
    }

    fn look_up(&self, answer: &mut Message, query: &Query) {
        let kind = query.query_type();
        let mut name = query.name().clone();
        for _ in 0..LONGEST_CHAIN {
            let key = plain(&name.to_ascii());
            let Some(known) = self.records.get(&key) else {
                if !self.has_below(&key) {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                break;
            };
            let alias = known.iter().find_map(|data| match data {
                RData::CNAME(target) if kind != RecordType::CNAME => Some(target.0.clone()),
                _ => None,
            });
            let fits = |data: &&RData| data.record_type() == kind || alias.is_some();
            answer.add_answers(
                known
                    .iter()
                    .filter(fits)
                    .map(|data| Record::from_rdata(name.clone(), self.ttl, data.clone())),
            );
            match alias {
                Some(target) => name = target,
                None => break,
            }
        }
        // RFC 2308 §3: for how long it may be remembered that there is nothing.
        if !answer
            .answers
            .iter()
            .any(|record| record.record_type() == kind)
        {
            answer.add_authority(self.soa());
        }
    }

    /// RFC 8020: a name with something below it exists, though it has no records.
    fn has_below(&self, name: &str) -> bool {
        let end = format!(".{name}");
        self.records.keys().any(|key| key.ends_with(&end))
    }

    fn soa(&self) -> Record {
        let second = i32::try_from(self.ttl).unwrap_or(i32::MAX);
        let data = SOA::new(
            Name::root(),
            Name::root(),
            1,
            second,
            second,
            second,
            self.ttl,
        );
        Record::from_rdata(Name::root(), self.ttl, RData::SOA(data))
    }
}
