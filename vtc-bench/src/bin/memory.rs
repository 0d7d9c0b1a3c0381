//! What users cost in memory, against the limits: exits 1 if one is broken, or if a count is wrong.
//!
//! ```sh
//! cargo run --release -p vtc-bench --bin memory
//! ```

use std::fmt::Write;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use vtc_bench::users;
use vtc_core::{ManualClock, SlidingWindowTracker, TokenTracker};

/// The most that a user at the default window may cost, in bytes asked of the allocator, its name included.
const LIMIT_PER_USER: f64 = 700.0;
const USERS: usize = 1_000_000;

/// The most that may be resident while names are being invented, in bytes.
const LIMIT_RESIDENT: u64 = 200_000_000;
const INVENTED: usize = 10_000_000;
const CAP: usize = 100_000;
const HONEST: usize = 1000;
/// Over so many buckets the invented names come: ten windows.
const BUCKETS: usize = 610;

/// Each part in a process of its own: what one frees would not be resident anew in the next.
fn main() -> Result<ExitCode> {
    let holds = match std::env::args().nth(1).as_deref() {
        Some("invented-names") => invented_names()?,
        Some("bytes-per-user") => bytes_per_user()?,
        _ => part("invented-names")? & part("bytes-per-user")?,
    };
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn part(name: &str) -> Result<bool> {
    Ok(Command::new(std::env::current_exe()?).arg(name).status()?.success())
}

/// Ten million names once each, under a cap. Some honest users were there before and go on meanwhile; their counts
/// must be those of a tracker that has only them.
fn invented_names() -> Result<bool> {
    let clock = ManualClock::new();
    let capped =
        |max_users| SlidingWindowTracker::builder().max_users(max_users).clock(clock.clone()).build();
    let (flooded, calm) = (capped(CAP)?, capped(HONEST)?);
    let honest: Vec<_> = users::numbered(HONEST).collect();
    let (mut name, mut wrong) = (String::new(), 0);
    for bucket in 0..BUCKETS {
        for (user, tokens) in honest.iter().zip(users::tokens().skip(bucket % 97)) {
            flooded.update_token_count(user, tokens, 0.0)?;
            calm.update_token_count(user, tokens, 0.0)?;
        }
        for number in bucket * INVENTED / BUCKETS..(bucket + 1) * INVENTED / BUCKETS {
            name.clear();
            write!(name, "fake-{number:07}")?;
            flooded.update_token_count(&name, 10.0, 20.0)?;
        }
        let is_wrong = |user: &&String| flooded.token_count(user) != calm.token_count(user);
        wrong += honest.iter().filter(is_wrong).count();
        // As the actor does, and whoever else keeps a timer.
        flooded.upkeep();
        ensure!(flooded.account_count() <= CAP, "{} accounts under a cap of {CAP}", flooded.account_count());
        clock.advance(flooded.config().width());
    }
    let (highest, now) = (resident("VmHWM:")?, resident("VmRSS:")?);
    println!("{INVENTED} invented names, once each over ten windows, under a cap of {CAP} users:");
    println!(
        "  resident {:.0} MB at most, {:.0} MB in the end; limit {} MB: {}",
        highest as f64 / 1e6,
        now as f64 / 1e6,
        LIMIT_RESIDENT / 1_000_000,
        verdict(highest < LIMIT_RESIDENT)
    );
    println!(
        "  counts of {HONEST} honest users, looked at {BUCKETS} times: {wrong} wrong: {}",
        verdict(wrong == 0)
    );
    Ok(highest < LIMIT_RESIDENT && wrong == 0)
}

/// A million users who have charged once, and then in each bucket of the window.
fn bytes_per_user() -> Result<bool> {
    let before = resident("VmRSS:")?;
    let clock = ManualClock::new();
    let mut made = None;
    let once = allocation_counter::measure(|| {
        let tracker = SlidingWindowTracker::builder().clock(clock.clone()).build();
        if let Ok(tracker) = &tracker {
            users::open(tracker, USERS);
            tracker.upkeep();
        }
        made = Some(tracker);
    });
    let tracker = made.context("made above")??;
    ensure!(tracker.account_count() == USERS, "{} accounts instead of {USERS}", tracker.account_count());
    let handles: Vec<_> = users::numbered(USERS).map(|name| tracker.user(&name)).collect::<Result<_, _>>()?;
    let buckets = 1 + tracker.config().span().div_duration_f64(tracker.config().width()) as usize;
    let mut refused = 0;
    let each = allocation_counter::measure(|| {
        for _ in 1..buckets {
            clock.advance(tracker.config().width());
            refused += handles.iter().filter(|user| user.charge(10.0, 20.0).is_err()).count();
            tracker.upkeep();
        }
    });
    ensure!(refused == 0, "{refused} charges were refused");
    drop(handles);
    let once = once.bytes_current as f64 / USERS as f64;
    let each = once + each.bytes_current as f64 / USERS as f64;
    let resident = resident("VmRSS:")?.saturating_sub(before) as f64 / USERS as f64;
    let worst = once.max(each);
    println!("{USERS} users with names of 12 bytes, at the default window:");
    println!(
        "  {once:.0} bytes each after one charge, {each:.0} after one in each of {buckets} buckets; \
        limit {LIMIT_PER_USER}: {}",
        verdict(worst <= LIMIT_PER_USER)
    );
    println!("  (resident: {resident:.0} bytes each, what the allocator adds included)");
    Ok(worst <= LIMIT_PER_USER)
}

/// A field of the process's status, in bytes.
fn resident(field: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("this needs Linux's /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")).context("no such field in the status")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}

fn verdict(holds: bool) -> &'static str {
    if holds { "holds" } else { "BROKEN" }
}
