//! The server between start and stop: opens the ports, takes new settings over, answers requests of other processes,
//! and keeps house.

pub(crate) mod requests;
mod spool;

use std::sync::Arc;
use std::time::{Duration, Instant};

use settings::change::Effects;
use settings::{Problem, Settings};
use store::{Store, StoreError, Tx, ban, journal, list_hit, login_failure, request, setting};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock;
use crate::listener::Listeners;
use crate::queue;
use crate::relay_password::Keychain;
use crate::running::spool::Ailments;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::status::{State, Status};
use crate::storing;
use crate::supervisor::{Wish, Wishes};
use crate::tls::{self, Certificates};
use crate::turned_away::More;

/// How soon the settings and requests of other processes are seen.
const GLANCE: Duration = Duration::from_millis(200);
const RETRY_PORTS: Duration = Duration::from_secs(10);
const LOOK_AT_CERTIFICATE: Duration = Duration::from_secs(5);
/// For so long a name server that did not answer is told of; mail that comes meanwhile asks again.
const DNS_IS_DOWN: Duration = Duration::from_secs(60);
/// Matches of the lists are added up in the database so often.
const ADD_HITS: Duration = Duration::from_secs(5);
const KEEP_HOUSE: Duration = Duration::from_secs(600);
/// Sessions may finish what they do for this long when the server stops.
const GRACE: Duration = Duration::from_secs(20);
/// The mail log never grows beyond this, whatever the days say.
const MAX_JOURNAL_ROWS: u64 = 1_000_000;
const MAX_DELIVERY_ROWS: i64 = 2_000_000;
const DAY_MS: i64 = 86_400_000;
const REQUESTS_KEPT_MS: i64 = 3_600_000;
/// Content files that no message names are kept for so long.
const ORPHANS_KEPT_MS: i64 = 7 * DAY_MS;
/// The stored settings are none this program knows.
const UNREADABLE: &str = "settings_unreadable";

/// A server with open ports.
struct Running {
    shared: Arc<Shared>,
    listeners: Listeners,
    /// Delivers; ends after the last session.
    runner: JoinHandle<()>,
    /// Tells whether mail can be stored; ends when the server stops.
    watcher: JoinHandle<()>,
    since_ms: i64,
    seen: Option<i64>,
    /// What was done to the queue by hand, as far as the runner was told.
    queue_changes: i64,
    /// What needs attention though the server runs.
    problem: Option<Problem>,
    /// Whether the DNS cannot be asked, as far as it was said.
    no_dns: bool,
    /// What is to be known of the spool; no setting mends it.
    spool: Ailments,
}

/// When each regular duty was last done.
struct Duties {
    ports: Instant,
    certificate: Instant,
    hits: Instant,
    house: Option<Instant>,
}

/// Serves until the wish changes. Returns the wish that ended it.
///
/// # Errors
/// Why no mail can be served.
pub(crate) async fn run(
    store: &Store,
    keychain: Option<Arc<dyn Keychain>>,
    wishes: &mut Wishes,
) -> Result<Wish, Problem> {
    let mut running = Running::start(store, keychain)?;
    running.publish();
    let mut duties = Duties {
        ports: Instant::now(),
        certificate: Instant::now(),
        hits: Instant::now(),
        house: None,
    };
    let ended = loop {
        if let Err(problem) = running.glance().await {
            break Err(problem);
        }
        running.do_duties(&mut duties).await;
        let wish = wishes.changed_within(GLANCE).await;
        if wish != Wish::Run {
            break Ok(wish);
        }
    };
    running.stop().await;
    ended
}

/// The newest settings, if they are complete enough to serve mail.
pub(crate) fn read_settings(store: &Store) -> Result<Snapshot, Problem> {
    let snapshot = store.read(Snapshot::read).map_err(|error| storage(&error))?.map_err(|problems| {
        let what: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Problem::new(
            problems.first().map(|problem| problem.path.clone()).unwrap_or_default(),
            UNREADABLE,
            format!("the stored settings cannot be read, so no mail is served; nothing was changed. {}", what.join("; ")),
        )
    })?;
    if snapshot.settings.is_set_up() {
        Ok(snapshot)
    } else {
        Err(Problem::new(
            "general.domain",
            "not_set_up",
            "the domain and the host name are not set yet; set general.domain and general.hostname, then mail can be served",
        ))
    }
}

fn storage(error: &StoreError) -> Problem {
    Problem::new("", "storage", error.to_string())
}

impl Running {
    fn start(store: &Store, keychain: Option<Arc<dyn Keychain>>) -> Result<Self, Problem> {
        let snapshot = read_settings(store)?;
        // Nothing is accepted before the log of what was accepted is read.
        let recovered = store.recover().map_err(|error| storage(&error))?;
        let loaded = tls::load(&snapshot.settings, &store.data_dir().tls())?;
        let certificates = Arc::new(Certificates::new(loaded));
        let config = tls::server_config(certificates.clone()).map_err(|error| {
            Problem::new(
                "service.certificate",
                "tls",
                format!("TLS cannot be used: {error}"),
            )
        })?;
        let settings = snapshot.settings.clone();
        let shared = Arc::new(Shared::new(
            store.clone(),
            snapshot,
            certificates,
            config,
            keychain,
        ));
        let mut listeners = Listeners::default();
        listeners.open(&shared, &settings);
        if !listeners.is_open() {
            let first = listeners
                .report()
                .into_iter()
                .find_map(|listening| listening.problem);
            return Err(first.unwrap_or_else(|| {
                Problem::new(
                    "service.smtp",
                    "no_address",
                    "no address to listen on is set; add one, for example [::]:25",
                )
            }));
        }
        let runner = tokio::spawn(queue::run(Arc::clone(&shared)));
        let watcher = tokio::spawn(storing::watch(Arc::clone(&shared)));
        Ok(Self {
            shared,
            listeners,
            runner,
            watcher,
            since_ms: clock::now_ms(),
            seen: None,
            queue_changes: store.read(store::queue::changes).unwrap_or_default(),
            problem: None,
            spool: Ailments::of(&recovered, &store.data_dir().spool()),
            no_dns: false,
        })
    }

    /// Says how things stand.
    fn publish(&self) {
        let snapshot = self.shared.current.get();
        Status {
            since_ms: self.since_ms,
            revision: snapshot.revision.0,
            listeners: self.listeners.report(),
            local_networks: self.local_networks(&snapshot.settings),
            certificate_not_after: Some(self.shared.certificates.not_after()),
            ..Status::plain(State::Running, self.problem())
        }
        .publish(&self.shared.store);
    }

    /// Set while the tests of mail get no answers from the DNS.
    fn dns_problem(&self) -> Option<Problem> {
        let (at, why) = self.shared.auth.names().last_check()?;
        let why = why.filter(|_| at.elapsed() < DNS_IS_DOWN)?;
        Some(
            Problem::new(
                "service.dns_servers",
                "dns_down",
                format!("no name server answers, so mail is taken without the tests that need one: {why}"),
            )
            .arg("why", why),
        )
    }

    /// The one thing that is told of all that ails the server.
    fn problem(&self) -> Option<Problem> {
        let failed = || {
            let report = self.listeners.report();
            report.into_iter().find_map(|listening| listening.problem)
        };
        let spool = || self.spool.gravest();
        let dns = || self.dns_problem();
        self.problem
            .clone()
            .or_else(failed)
            .or_else(spool)
            .or_else(dns)
    }

    /// Tells of messages that the tables refused since the last look, or that somebody has seen to.
    fn look_at_refused(&mut self) {
        let count = self.shared.store.refused();
        if self.spool.refused(count, &self.shared.spool()) {
            self.publish();
        }
    }

    fn local_networks(&self, settings: &Settings) -> Vec<String> {
        match &settings.service.local_networks {
            Some(list) => list.iter().map(ToString::to_string).collect(),
            None => self
                .shared
                .machine
                .network()
                .attached
                .iter()
                .filter(|network| network.unfit_as_local().is_none())
                .map(ToString::to_string)
                .collect(),
        }
    }

    /// Looks whether anything was committed since the last time: settings, or requests.
    ///
    /// # Errors
    /// Settings that cannot be read: whoever made them wants something else than what is in force, so nothing is served
    /// until they can be.
    async fn glance(&mut self) -> Result<(), Problem> {
        let Ok(version) = self.shared.store.data_version() else {
            return Ok(());
        };
        if self.seen.replace(version) == Some(version) {
            return Ok(());
        }
        let latest = self.shared.store.read(setting::latest);
        match latest {
            // Looked at again the next time.
            Err(_) => self.seen = None,
            Ok(latest) if latest != self.shared.current.get().revision => self.take_over().await?,
            Ok(_) => {}
        }
        if let Ok(changes) = self.shared.store.read(store::queue::changes)
            && changes != std::mem::replace(&mut self.queue_changes, changes)
        {
            self.shared.queue.look_again();
        }
        let pending = self.shared.store.read(request::pending).unwrap_or_default();
        for request in pending {
            self.answer(request).await;
        }
        Ok(())
    }

    /// Puts the newest stored settings in force, which another process committed.
    async fn take_over(&mut self) -> Result<(), Problem> {
        match read_settings(&self.shared.store) {
            Ok(snapshot) => {
                let effects = settings::change::effects(
                    &self.shared.current.get().settings,
                    &snapshot.settings,
                );
                self.problem = None;
                if effects.rebind {
                    // Committed without being tried here: what cannot be opened is shown and tried again.
                    let changed = self
                        .listeners
                        .change(&self.shared, &snapshot.settings)
                        .await;
                    if let Err(problems) = changed {
                        self.problem = problems.into_iter().next();
                        self.listeners.open(&self.shared, &snapshot.settings);
                    }
                }
                if effects.certificate {
                    self.load_certificate(&snapshot.settings);
                }
                let settings = snapshot.settings.clone();
                self.shared.current.replace(snapshot);
                self.change_queue(effects, &settings).await;
            }
            Err(problem) if problem.code == UNREADABLE => return Err(problem),
            Err(problem) => self.problem = Some(problem),
        }
        self.publish();
        Ok(())
    }

    /// The new settings hold for what waits as well.
    async fn change_queue(&mut self, effects: Effects, settings: &Settings) {
        let mut done = Ok(());
        if effects.routes {
            done = self.shared.route_anew(settings).await;
        }
        if effects.times {
            done = done.and(self.shared.time_anew(settings).await);
        }
        if let Err(error) = done {
            self.problem = Some(storage(&error));
        }
    }

    fn load_certificate(&mut self, settings: &Settings) {
        match tls::load(settings, &self.shared.store.data_dir().tls()) {
            Ok(loaded) => self.shared.certificates.replace(loaded),
            Err(problem) => {
                tracing::error!("the certificate in use is kept: {problem}");
                self.problem = Some(problem);
            }
        }
    }

    async fn do_duties(&mut self, duties: &mut Duties) {
        self.look_at_refused();
        let no_dns = self.dns_problem().is_some();
        if std::mem::replace(&mut self.no_dns, no_dns) != no_dns {
            self.publish();
        }
        if self.listeners.has_failed() && duties.ports.elapsed() > RETRY_PORTS {
            duties.ports = Instant::now();
            let settings = self.shared.current.get();
            self.listeners.open(&self.shared, &settings.settings);
            self.publish();
        }
        if duties.certificate.elapsed() > LOOK_AT_CERTIFICATE {
            duties.certificate = Instant::now();
            if self.shared.certificates.is_stale() {
                if self
                    .problem
                    .as_ref()
                    .is_some_and(|problem| problem.path.starts_with("service.certificate"))
                {
                    self.problem = None;
                }
                let snapshot = self.shared.current.get();
                self.load_certificate(&snapshot.settings);
                self.publish();
            }
        }
        if duties.hits.elapsed() > ADD_HITS {
            duties.hits = Instant::now();
            self.add_hits().await;
        }
        self.add_turned_away(self.shared.turned_away.ended(Instant::now()))
            .await;
        if duties.house.is_none_or(|last| last.elapsed() > KEEP_HOUSE) {
            duties.house = Some(Instant::now());
            self.keep_house().await;
        }
    }

    async fn add_hits(&self) {
        if let Err(error) = self.shared.list_hits.store(&self.shared.store).await {
            tracing::warn!("matches of the lists could not be added up: {error}");
        }
    }

    /// Writes down how many more connections each entry stands for.
    async fn add_turned_away(&self, ended: Vec<More>) {
        if ended.is_empty() {
            return;
        }
        let keep = move |tx: &Tx<'_>| ended.iter().try_for_each(|more| more.keep(tx));
        if let Err(error) = self.shared.store.note(keep).await {
            tracing::warn!("how many connections were refused could not be written: {error}");
        }
    }

    /// Removes what is older than the settings allow, a few thousand rows at a time so that mail goes on meanwhile.
    async fn keep_house(&self) {
        let store = &self.shared.store;
        let now = clock::now_ms();
        let tidying = store.clone();
        let tidy = move || {
            tidying.tidy_spool(now, now - ORPHANS_KEPT_MS)?;
            tidying.compact()
        };
        match tokio::task::spawn_blocking(tidy).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the spool could not be tidied up: {error}"),
            Err(error) => tracing::error!("tidying up the spool fell over: {error}"),
        }
        let (today, day_ends_ms) = self.shared.bans.day(&clock::now());
        let days = i64::from(self.shared.current.get().settings.service.journal_days);
        loop {
            let today = today.clone();
            let pruned = store
                .write(move |tx| {
                    ban::keep_only(tx, &today, day_ends_ms)?;
                    login_failure::prune(tx, now - DAY_MS)?;
                    list_hit::prune(tx, now)?;
                    request::prune(tx, now - REQUESTS_KEPT_MS)?;
                    store::queue::prune_pauses(tx, now - DAY_MS)?;
                    store::queue::prune(tx, now - days * DAY_MS, MAX_DELIVERY_ROWS)?;
                    journal::prune(tx, now - days * DAY_MS, MAX_JOURNAL_ROWS)
                })
                .await;
            match pruned {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("old entries could not be removed: {error}");
                    break;
                }
            }
        }
    }

    async fn stop(mut self) {
        std::mem::take(&mut self.listeners).close().await;
        self.shared.stop.cancel();
        self.shared.sessions.close();
        if timeout(GRACE, self.shared.sessions.wait()).await.is_err() {
            tracing::warn!("some sessions did not end in time and were cut");
        }
        self.add_hits().await;
        self.add_turned_away(self.shared.turned_away.all()).await;
        self.shared.end.cancel();
        if let Err(error) = self.runner.await {
            tracing::error!("the queue fell over: {error}");
        }
        if let Err(error) = self.watcher.await {
            tracing::error!("the look at the disk fell over: {error}");
        }
    }
}
