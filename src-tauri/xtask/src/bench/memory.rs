//! Memory as the machine counts it: PSS, where a page shared by several programs counts for each in part.

use std::fs;

use anyhow::{Context, Result};

/// PSS of a process in MB of 1024 × 1024 octets.
pub fn pss(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let kib = pss_in(&rollup).with_context(|| format!("{path} has no Pss line"))?;
    Ok(kib / 1024.0)
}

/// PSS of a process and all that it has started, in MB.
pub fn pss_with_children(pid: u32) -> Result<f64> {
    let mut sum = pss(pid)?;
    for child in children(pid)? {
        sum += pss_with_children(child)?;
    }
    Ok(sum)
}

fn pss_in(rollup: &str) -> Option<f64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The processes that a process has started and that still run.
pub fn children(pid: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may have ended since; then it has no children.
        let list = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        children.extend(
            list.split_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pss_line_is_found_among_its_likes() {
        assert_eq!(
            pss_in("00-ff ---p [rollup]\nRss: 9 kB\nPss:            2048 kB\nPss_Dirty: 7 kB\n"),
            Some(2048.0)
        );
    }
}
