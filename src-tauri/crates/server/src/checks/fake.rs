//! A name server on the loopback, for the tests of the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Auth;
use crate::names::Names;

/// What it knows. Names that are not in it do not exist; nothing may be remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Zone {
    records: BTreeMap<String, Vec<RData>>,
    failing: BTreeSet<String>,
    silent: BTreeSet<String>,
}

impl Zone {
    pub fn txt(self, name: &str, text: &str) -> Self {
        let parts = text.as_bytes().chunks(255);
        let parts = parts.map(|part| String::from_utf8_lossy(part).into_owned());
        self.record(name, RData::TXT(TXT::new(parts.collect())))
    }

    pub fn host(self, name: &str, ip: &str) -> Self {
        self.record(name, ip.parse::<IpAddr>().unwrap().into())
    }

    pub fn mx(self, name: &str, host: &str) -> Self {
        let host = Name::from_ascii(format!("{host}.")).unwrap();
        self.record(name, RData::MX(MX::new(10, host)))
    }

    pub fn ptr(self, ip: &str, name: &str) -> Self {
        let at = Name::from(ip.parse::<IpAddr>().unwrap()).to_ascii();
        let name = Name::from_ascii(format!("{name}.")).unwrap();
        self.record(at.trim_end_matches('.'), RData::PTR(PTR(name)))
    }

    /// SERVFAIL for this name.
    pub fn fails(mut self, name: &str) -> Self {
        self.failing.insert(name.into());
        self
    }

    /// No answer for this name.
    pub fn silent(mut self, name: &str) -> Self {
        self.silent.insert(name.into());
        self
    }

    pub fn record(mut self, name: &str, data: RData) -> Self {
        let name = name.to_ascii_lowercase();
        self.records.entry(name).or_default().push(data);
        self
    }

    pub async fn serve(self) -> Server {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let bell = Arc::new(Notify::new());
        let ring = Arc::clone(&bell);
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            loop {
                let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let answer = self.answer(&question, &log);
                ring.notify_one();
                if let Some(answer) = answer {
                    let answer = answer.to_vec().unwrap();
                    socket.send_to(&answer, client).await.unwrap();
                }
            }
        });
        Server {
            address,
            asked,
            bell,
            task,
        }
    }

    fn answer(&self, question: &Message, log: &Mutex<Vec<String>>) -> Option<Message> {
        let query = question.queries.first().unwrap();
        let name = query.name().to_ascii().to_ascii_lowercase();
        let name = name.trim_end_matches('.').to_owned();
        let kind = query.query_type();
        log.lock().unwrap().push(format!("{kind} {name}"));
        if self.silent.contains(&name) {
            return None;
        }
        let mut answer = Message::new(
            question.metadata.id,
            MessageType::Response,
            question.metadata.op_code,
        );
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        if self.failing.contains(&name) {
            answer.metadata.response_code = ResponseCode::ServFail;
            return Some(answer);
        }
        match self.records.get(&name) {
            Some(records) => {
                answer.add_answers(
                    records
                        .iter()
                        .filter(|data| data.record_type() == kind)
                        .map(|data| Record::from_rdata(query.name().clone(), 0, data.clone())),
                );
            }
            None => {
                let below = format!(".{name}");
                if !self.records.keys().any(|known| known.ends_with(&below)) {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
            }
        }
        Some(answer)
    }
}

/// Ends with this value.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    bell: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Server {
    pub fn auth(&self) -> Auth {
        Auth::new(&[self.address])
    }

    pub fn names(&self) -> Names {
        Names::new(&[self.address])
    }

    /// `TXT name` and so on, in the order in which they came.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns when a question has come, also one that came before.
    pub async fn is_asked(&self) {
        while self.asked().is_empty() {
            self.bell.notified().await;
        }
    }

    pub fn questions(&self, kind: RecordType) -> usize {
        let kind = format!("{kind} ");
        let asked = self.asked();
        asked.iter().filter(|line| line.starts_with(&kind)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
