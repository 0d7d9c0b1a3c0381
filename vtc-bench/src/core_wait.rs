//! What the kernel did to a measurement.

use std::fs;
use std::io;
use std::time::Duration;

/// How long this thread has waited for a core so far, though it could have run: Linux counts it. Costs a few
/// microseconds.
///
/// # Errors
/// There is no `/proc/thread-self/schedstat` of the known form: this is not Linux.
pub fn waited() -> io::Result<Duration> {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat")?;
    // Time on a core, time waiting for one, time slices.
    let waited = schedstat.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
    waited.map(Duration::from_nanos).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_falls() {
        let mut last = waited().unwrap();
        for _ in 0..100 {
            let now = waited().unwrap();
            assert!(now >= last);
            last = now;
        }
    }
}
