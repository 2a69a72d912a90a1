//! The way from all who deliver to the one who gathers what they did.

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// Has so many places; whoever sends beyond them waits.
#[derive(Debug)]
pub(crate) struct Pipe<T> {
    sender: mpsc::Sender<T>,
    receiver: Mutex<Option<mpsc::Receiver<T>>>,
}

impl<T> Pipe<T> {
    pub fn new(places: usize) -> Self {
        let (sender, receiver) = mpsc::channel(places);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }

    /// Whether it found a place before the server had ended.
    pub async fn send(&self, one: T) -> bool {
        self.sender.send(one).await.is_ok()
    }

    /// The other end, for the one who gathers. `None` while somebody has it.
    pub async fn open(&self) -> Option<mpsc::Receiver<T>> {
        self.receiver.lock().await.take()
    }

    /// Keeps what still comes for the next one who gathers.
    pub async fn close(&self, receiver: mpsc::Receiver<T>) {
        self.receiver.lock().await.replace(receiver);
    }
}

/// What comes next; `None` when the server has stopped and nothing is left.
pub(crate) async fn next<T>(
    receiver: &mut mpsc::Receiver<T>,
    done: &CancellationToken,
) -> Option<T> {
    tokio::select! {
        one = receiver.recv() => one,
        () = done.cancelled() => receiver.try_recv().ok(),
    }
}
