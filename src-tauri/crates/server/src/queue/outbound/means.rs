//! What a worker has for its mail beside the settings: what bounds it, and what ends it.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use smtp::client::Trouble;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::content::Conversions;
use crate::deliver::crowd::Crowd;
use crate::queue::lanes::Lanes;
use crate::shared::Shared;

/// Who waits longer than this for a connection must not keep a place that mail for elsewhere needs.
const SOON: Duration = Duration::from_secs(10);

/// The means of one worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means<'a> {
    /// Its lane among all others.
    pub lanes: &'a Lanes,
    pub destination: &'a str,
    pub crowd: &'a Crowd,
    pub conversions: &'a Conversions,
    /// Set when the server stops.
    pub end: &'a CancellationToken,
}

/// Why a wait ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The server stops.
    Stops,
    /// Too many others wait as long for other destinations.
    TooMany,
}

impl<'a> Means<'a> {
    pub fn of(shared: &'a Shared, destination: &'a str) -> Self {
        Self {
            lanes: &shared.queue.lanes,
            destination,
            crowd: &shared.crowd,
            conversions: &shared.conversions,
            end: &shared.end,
        }
    }

    /// Waits for a part of the way to a connection; when it takes long, apart from those who get on.
    pub async fn wait_for<T>(&self, work: impl Future<Output = T>) -> Result<T, Cut> {
        let mut work = pin!(work);
        let wait = async {
            if let Ok(done) = timeout(SOON, &mut work).await {
                return Ok(done);
            }
            let Some(_stalled) = self.lanes.stall(self.destination) else {
                return Err(Cut::TooMany);
            };
            Ok(work.await)
        };
        tokio::select! {
            biased;
            () = self.end.cancelled() => Err(Cut::Stops),
            done = wait => done,
        }
    }
}

/// What the wait for `who` came to where too many others wait as well.
pub(super) fn too_many_wait(who: &str) -> Trouble {
    let text =
        format!("{who} does not answer, and many others do not either; it is tried again later");
    Trouble::new((4, 4, 2), text).whole_hop()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::queue::outbound::samples::Bounds;

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_cut_short_only_where_the_lane_allows_no_more_of_them() {
        let bounds = Bounds::default();
        let slow = || async {
            sleep(3 * SOON).await;
            7
        };
        assert_eq!(bounds.means().wait_for(slow()).await, Ok(7));
        // A lane that does not exist may not wait at all.
        let began = Instant::now();
        let cut = bounds.means_for("domain:x").wait_for(slow()).await;
        assert_eq!((cut, began.elapsed()), (Err(Cut::TooMany), SOON));
        let soon = async { sleep(SOON / 2).await };
        assert_eq!(bounds.means_for("domain:x").wait_for(soon).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_when_the_server_stops() {
        let bounds = Bounds::default();
        let stop = async {
            sleep(2 * SOON).await;
            bounds.end.cancel();
        };
        let means = bounds.means();
        let (cut, ()) = tokio::join!(means.wait_for(pending::<()>()), stop);
        assert_eq!(cut, Err(Cut::Stops));
    }
}
