//! Owns the server thread: starts it, sees it end, and starts it again with growing pauses when it fell over.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use settings::Problem;
use store::setting::{self, Revision};
use store::{Lock, Store, request};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock;
use crate::relay_password::Keychain;
use crate::running::{self, requests};
use crate::status::{State, Status};

/// What is wanted of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Serve mail.
    Run,
    /// Serve none, but stay ready.
    Stop,
    /// End the thread.
    Quit,
}

/// First and longest pause before a restart.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A server that ran this long fell over for a new reason.
const HEALTHY: Duration = Duration::from_secs(300);
/// How often requests are looked for while no mail is served.
const GLANCE: Duration = Duration::from_millis(200);

/// The wish, as the server thread sees it: from its owner, and from requests of other processes.
pub(crate) struct Wishes {
    store: Store,
    sender: Arc<watch::Sender<Wish>>,
    receiver: watch::Receiver<Wish>,
    seen: Option<i64>,
}

impl Wishes {
    fn now(&self) -> Wish {
        *self.receiver.borrow()
    }

    /// The wish after at most `wait`, sooner when it changes.
    pub(crate) async fn changed_within(&mut self, wait: Duration) -> Wish {
        self.hear_requests().await;
        let _ = timeout(wait, self.receiver.changed()).await;
        self.now()
    }

    /// Other processes ask for start and stop in the database.
    async fn hear_requests(&mut self) {
        let Ok(version) = self.store.data_version() else {
            return;
        };
        if self.seen.replace(version) == Some(version) {
            return;
        }
        for request in self.store.read(request::pending).unwrap_or_default() {
            let wish = match request.kind.as_str() {
                requests::START => Wish::Run,
                requests::STOP => Wish::Stop,
                _ => continue,
            };
            self.sender.send_if_modified(|now| {
                let changes = *now != Wish::Quit && *now != wish;
                if changes {
                    *now = wish;
                }
                changes
            });
            let id = request.id;
            let _ = self
                .store
                .write(move |tx| request::answer(tx, id, &json!({}), clock::now_ms()))
                .await;
        }
    }
}

/// Handle of the server thread. Dropping it stops the server and waits for its end.
#[derive(Debug)]
pub struct Supervisor {
    wish: Arc<watch::Sender<Wish>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Supervisor {
    /// Starts the thread that serves the data folder of `store`; `lock` is kept until the thread ends. `keychain` is asked
    /// for the relay's password where the settings put it there.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        store: Store,
        lock: Lock,
        wish: Wish,
        keychain: Option<Arc<dyn Keychain>>,
    ) -> io::Result<Self> {
        crate::memory::allow_many_files();
        let (sender, receiver) = watch::channel(wish);
        let sender = Arc::new(sender);
        let wishes = Wishes {
            store: store.clone(),
            sender: sender.clone(),
            receiver,
            seen: None,
        };
        let thread = std::thread::Builder::new()
            .name("postroom-server".into())
            .spawn(move || {
                supervise(&store, wishes, |store, wishes| {
                    serve(store, keychain.clone(), wishes)
                });
                drop(lock);
            })?;
        Ok(Self {
            wish: sender,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Says what is wanted from now on.
    pub fn wish(&self, wish: Wish) {
        self.wish.send_replace(wish);
    }

    /// Whether the thread is still there.
    pub fn is_alive(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Stops the server and waits until running transactions have ended.
    pub fn quit(&self) {
        self.wish(Wish::Quit);
        if let Some(thread) = self.lock().take() {
            let _ = thread.join();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.quit();
    }
}

/// The life of the server thread: `once` serves until the wish changes (`None`) or something goes wrong.
fn supervise(
    store: &Store,
    mut wishes: Wishes,
    mut once: impl FnMut(&Store, &mut Wishes) -> Option<Problem>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        match wishes.now() {
            Wish::Quit => break,
            Wish::Stop => {
                Status::plain(State::Stopped, None).publish(store);
                rest(&mut wishes, None, None);
            }
            Wish::Run => {
                let began = Instant::now();
                // Read before the try, so that a change made during it ends the pause after it.
                let revision = latest(store);
                Status::plain(State::Starting, None).publish(store);
                let Some(problem) = once(store, &mut wishes) else {
                    pause = FIRST_PAUSE;
                    continue;
                };
                tracing::error!("mail is not served: {}", problem.message);
                Status::plain(State::Failed, Some(problem)).publish(store);
                if began.elapsed() > HEALTHY {
                    pause = FIRST_PAUSE;
                }
                rest(&mut wishes, Some(pause), revision);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    Status::plain(State::Stopped, None).publish(store);
}

/// Serves once. `None` when it ended because it should, else why it could not go on.
fn serve(
    store: &Store,
    keychain: Option<Arc<dyn Keychain>>,
    wishes: &mut Wishes,
) -> Option<Problem> {
    let runtime = match runtime(true) {
        Ok(runtime) => runtime,
        Err(error) => {
            return Some(Problem::new(
                "",
                "no_threads",
                format!("the system gives no threads: {error}"),
            ));
        }
    };
    let problem = caught(|| {
        runtime
            .block_on(running::run(store, keychain, wishes))
            .err()
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    problem
}

/// Turns a panic into a problem. What state it leaves behind is dropped with the runtime; the database rolls back what
/// was unfinished.
fn caught(work: impl FnOnce() -> Option<Problem>) -> Option<Problem> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no details");
        Some(Problem::new(
            "",
            "panic",
            format!("the server fell over and starts again by itself: {what}"),
        ))
    })
}

fn latest(store: &Store) -> Option<Revision> {
    store.read(setting::latest).ok()
}

/// Waits until the wish changes, or until it is time for another try. Settings newer than `revision` end a pause early.
fn rest(wishes: &mut Wishes, pause: Option<Duration>, revision: Option<Revision>) {
    let Ok(runtime) = runtime(false) else {
        std::thread::sleep(GLANCE);
        return;
    };
    runtime.block_on(async {
        let wish = wishes.now();
        let began = Instant::now();
        while wishes.changed_within(GLANCE).await == wish {
            let over = pause.is_some_and(|pause| began.elapsed() >= pause);
            let changed =
                pause.is_some() && wishes.store.read(store::setting::latest).ok() != revision;
            if over || changed {
                break;
            }
        }
    });
}

fn runtime(serving: bool) -> io::Result<tokio::runtime::Runtime> {
    let mut builder = if serving {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder
        .enable_all()
        .max_blocking_threads(64)
        .thread_name("postroom-io")
        .thread_stack_size(1024 * 1024)
        .build()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use store::DataDir;

    use super::*;
    use crate::status::last_said;

    fn wishes(store: &Store, wish: Wish) -> (Arc<watch::Sender<Wish>>, Wishes) {
        let (sender, receiver) = watch::channel(wish);
        let sender = Arc::new(sender);
        let wishes = Wishes {
            store: store.clone(),
            sender: sender.clone(),
            receiver,
            seen: None,
        };
        (sender, wishes)
    }

    #[test]
    fn a_server_that_falls_over_is_shown_and_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DataDir::new(folder.path())).unwrap();
        let (sender, wishes) = wishes(&store, Wish::Run);
        let starts = AtomicU32::new(0);
        supervise(&store, wishes, |store, _| {
            caught(|| {
                if starts.fetch_add(1, Ordering::Relaxed) == 0 {
                    panic!("a fault of the program");
                }
                // Before the second start the fault was said to everybody who looks.
                store.write_blocking(|_| Ok(())).unwrap();
                let revisions = last_said(store).unwrap().unwrap();
                assert_eq!(revisions.state, State::Starting);
                sender.send_replace(Wish::Quit);
                None
            })
        });
        assert_eq!(starts.load(Ordering::Relaxed), 2);
        // The writer is asked once more, so that everything queued before is through.
        store.write_blocking(|_| Ok(())).unwrap();
        assert_eq!(last_said(&store).unwrap().unwrap().state, State::Stopped);
    }

    #[test]
    fn a_panic_becomes_a_problem_with_its_words() {
        let problem = caught(|| panic!("no such luck")).unwrap();
        assert_eq!(problem.code, "panic");
        assert!(problem.message.contains("no such luck"));
        assert!(caught(|| None).is_none());
    }

    #[test]
    fn a_server_that_is_not_set_up_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DataDir::new(folder.path())).unwrap();
        let (_sender, mut wishes) = wishes(&store, Wish::Run);
        let problem = serve(&store, None, &mut wishes).unwrap();
        assert_eq!(
            (problem.path.as_str(), problem.code.as_str()),
            ("general.domain", "not_set_up")
        );
    }
}
