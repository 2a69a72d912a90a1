//! `serve`: the server without a window.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use server::status::{ServiceName, State, Status, last_said};
use server::{Supervisor, Wish};
use store::{DataDir, Lock, LockError, Store};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Failure, FailureKind, Keychain};

/// How often the state is looked at until it is ready.
const LOOK: Duration = Duration::from_millis(5);
const WATCH: Duration = Duration::from_millis(500);

/// Serves until SIGTERM or SIGINT, then lets running transactions end.
pub(super) fn serve(folder: &DataDir, keychain: Option<Arc<dyn Keychain>>) -> Result<(), Failure> {
    log_to_stderr();
    let store = Store::open(folder)?;
    let lock = Lock::acquire(folder).map_err(|error| match error {
        LockError::Held { .. } => Failure::new(FailureKind::Unavailable, error.to_string()),
        LockError::Store(error) => error.into(),
    })?;
    let io = |error: std::io::Error| {
        Failure::new(FailureKind::Io, format!("the server cannot start: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io)?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
        let began = server::clock::now_ms();
        let supervisor = Supervisor::start(store.clone(), lock, Wish::Run, keychain).map_err(io)?;
        let mut ready = false;
        let outcome = loop {
            let pause = if ready { WATCH } else { LOOK };
            tokio::select! {
                _ = terminate.recv() => break Ok(()),
                _ = interrupt.recv() => break Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
            if ready {
                if !supervisor.is_alive() {
                    break Err(Failure::new(
                        FailureKind::Unavailable,
                        "the server thread ended",
                    ));
                }
                continue;
            }
            // What an earlier process said does not count.
            match last_said(&store)?
                .filter(|status| status.pid == std::process::id() && status.since_ms >= began)
            {
                Some(status) if status.state == State::Running => {
                    say_ready(&status);
                    ready = true;
                }
                Some(status) if status.state == State::Failed => {
                    break Err(status.problem.map_or_else(
                        || Failure::new(FailureKind::Unavailable, "the server cannot start"),
                        Failure::problem,
                    ));
                }
                _ => {}
            }
        };
        supervisor.quit();
        outcome
    })
}

/// One line for whoever started us: the addresses really bound. Ports that could not be had are told beside it.
fn say_ready(status: &Status) {
    let of = |service: ServiceName| -> Vec<&str> {
        let open = status
            .listeners
            .iter()
            .filter(|listening| listening.problem.is_none());
        open.filter(|listening| listening.service == service)
            .map(|listening| listening.address.as_str())
            .collect()
    };
    let addresses = json!({
        "smtp": of(ServiceName::Smtp),
        "submission": of(ServiceName::Submission),
        "submissions": of(ServiceName::Submissions),
    });
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "ready {addresses}");
    let _ = stdout.flush();
    for problem in status
        .listeners
        .iter()
        .filter_map(|listening| listening.problem.as_ref())
    {
        let _ = writeln!(std::io::stderr(), "{problem}");
    }
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("POSTROOM_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // Fails only when a log is there already, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
