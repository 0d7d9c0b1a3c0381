//! The gateway's resident memory over time.

use std::fmt;

use anyhow::{Context as _, ensure};

/// What was seen, in KiB.
#[derive(Debug)]
pub struct Memory {
    process: u32,
    seen: Vec<u64>,
}

/// The beginning of a run, in which memory may grow.
const WARM_UP: usize = 20;
/// By so much later memory may pass earlier, beside a tenth.
const SLACK: u64 = 4096;

// === impl Memory ===

impl Memory {
    pub const fn of(process: u32) -> Self {
        Self { process, seen: Vec::new() }
    }

    /// Looks once more.
    pub fn look(&mut self) -> anyhow::Result<()> {
        let path = format!("/proc/{}/status", self.process);
        let status = std::fs::read_to_string(&path).context("the gateway is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context(path)?;
        self.seen.push(line.trim().trim_end_matches(" kB").parse()?);
        Ok(())
    }

    /// Whether the last third of the run needed no more than the third before it.
    ///
    /// # Errors
    /// By how much it grew.
    pub fn is_flat(&self) -> anyhow::Result<()> {
        let Some([_, middle, last]) = self.thirds() else { return Ok(()) };
        ensure!(last <= middle + middle / 10 + SLACK, "memory grew from {middle} to {last} KiB");
        Ok(())
    }

    /// The most of each third of the run, the warm-up left out.
    fn thirds(&self) -> Option<[u64; 3]> {
        let seen = self.seen.get(WARM_UP..).filter(|seen| seen.len() >= 3)?;
        let third = seen.len() / 3;
        let most = |part: &[u64]| part.iter().max().copied().unwrap_or(0);
        Some([most(&seen[..third]), most(&seen[third..2 * third]), most(&seen[2 * third..])])
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.seen.iter().max().copied().unwrap_or(0);
        write!(f, "resident memory of the gateway: at most {most} KiB")?;
        match self.thirds() {
            Some([first, middle, last]) => {
                writeln!(f, "; by thirds of the run {first}, {middle}, {last} KiB")
            }
            None => writeln!(f),
        }
    }
}
