//! What memory Postroom needs while it works.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::account::Account;
use super::load::Load;
use super::measure::{load, warm_up};
use super::peer::{Kind, Peer, Role};
use super::place::Place;
use super::scenario::{ALL, Way};
use crate::bench::memory::pss;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(10);
const LARGE: u64 = 100 * 1024 * 1024;
/// Enough for the large message and its header.
const LARGEST_MB: u32 = 128;
const LONGEST: Duration = Duration::from_secs(60);

/// MB of PSS.
pub struct Footprint {
    /// The most with fifty sessions at work.
    pub busy: f64,
    /// By how much one message of 100 MB raises it.
    pub rise: f64,
}

/// Measures both on a server of its own.
pub fn measure(place: &Place, source: &Account) -> Result<Footprint> {
    let role = Role::Inbound {
        largest_mb: Some(LARGEST_MB),
    };
    let peer = Peer::start(Kind::Postroom, "footprint", &role, place, None)?;
    warm_up(Way::Inbound, &peer, None, source)?;
    peer.calm_down(Duration::from_secs(5))?;
    let before = pss(peer.pid)?;
    let inbound = || ALL.iter().filter(|scenario| scenario.way == Way::Inbound);
    let busiest = inbound().max_by_key(|scenario| scenario.sessions);
    let (Some(one), Some(busiest)) = (inbound().next(), busiest) else {
        anyhow::bail!("there are no inbound scenarios");
    };
    let large = Load {
        messages: 1,
        size: LARGE,
        longest: LONGEST,
        ..load(one, &peer)
    };
    let with_large = peak(&peer, &large, source)?;
    peer.calm_down(Duration::from_secs(5))?;
    let busy = peak(&peer, &load(busiest, &peer), source)?;
    Ok(Footprint {
        busy,
        rise: with_large - before,
    })
}

/// The most memory that the server has while the load is sent and a little longer.
fn peak(peer: &Peer, load: &Load<'_>, source: &Account) -> Result<f64> {
    let over = AtomicBool::new(false);
    let pid = peer.pid;
    thread::scope(|scope| {
        let over = &over;
        let watch = scope.spawn(move || {
            let mut most = 0.0_f64;
            while !over.load(Ordering::Acquire) {
                most = most.max(pss(pid)?);
                thread::sleep(LOOK);
            }
            anyhow::Ok(most)
        });
        let sent = load.send(source);
        // Deliveries may still be under way.
        let calm = peer.calm_down(Duration::from_secs(10));
        over.store(true, Ordering::Release);
        let most = watch.join();
        let sent = sent?;
        calm?;
        ensure!(
            sent.answered > 0,
            "nothing was answered: {}",
            sent.complaint
        );
        match most {
            Ok(most) => most,
            Err(_) => anyhow::bail!("memory could not be watched"),
        }
    })
}
