//! The program's own process: how the webview in it draws, and how long it took to start.

use std::env;
use std::sync::Once;
use std::time::Duration;

/// Tells WebKit to draw without the graphics card. It reads this once, from the environment.
const NO_GRAPHICS_CARD: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// Starts the program anew in its own place with the webview told to draw without the graphics card.
///
/// Settings panes need none. Without it they are painted sooner and take about 70 MB less, and the blank windows that
/// some drivers cause do not happen. Whoever sets the variable themselves (to `0`, say) is left alone. An environment
/// variable cannot be set safely from within a program, therefore the new start; it costs a few milliseconds.
pub(crate) fn draw_without_graphics_card() {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        if env::var_os(NO_GRAPHICS_CARD).is_some() {
            return;
        }
        let Ok(program) = env::current_exe() else {
            return;
        };
        let error = std::process::Command::new(program)
            .args(env::args_os().skip(1))
            .env(NO_GRAPHICS_CARD, "1")
            .exec();
        tracing::warn!(%error, "the webview draws with the graphics card");
    }
}

/// Prints how long the program took from its start to the first paint, once and only where `POSTROOM_TIMINGS=1` asks for it.
pub(crate) fn report_first_paint() {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        let wanted = env::var_os("POSTROOM_TIMINGS").is_some_and(|value| value == "1");
        if wanted && let Some(age) = age() {
            eprintln!("painted {}", age.as_millis());
        }
    });
}

/// Time since this process began, to a hundredth of a second: a new start in the same place does not count as a beginning.
fn age() -> Option<Duration> {
    /// One clock tick, as Linux counts them for programs on every machine (`USER_HZ` is 100).
    const TICK_MS: u64 = 10;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let up = Duration::try_from_secs_f64(uptime.split_whitespace().next()?.parse().ok()?).ok()?;
    up.checked_sub(Duration::from_millis(
        start_tick(&stat)?.checked_mul(TICK_MS)?,
    ))
}

/// Field 22 of `/proc/PID/stat` (`man 5 proc`). Field 2 is the program's name in brackets and may hold anything, so
/// the count begins after the last bracket.
fn start_tick(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_whatever_the_program_is_called() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(start_tick(&format!("42 (postroom) {rest}")), Some(777));
        assert_eq!(start_tick(&format!("42 (a) b (c)) {rest}")), Some(777));
        assert_eq!(start_tick("42 postroom"), None);
    }

    #[test]
    fn a_running_program_has_an_age() {
        assert!(age().is_some());
    }
}
