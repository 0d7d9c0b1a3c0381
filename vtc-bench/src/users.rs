//! Made-up users.

/// So many names, in an order in which neighbours are not neighbours in memory.
#[must_use]
pub fn names(count: usize) -> Vec<String> {
    // A step that shares no factor with the count visits every number once.
    let step = (count * 618 / 1000).max(1);
    let step = (step..).find(|step| gcd(*step, count) == 1).unwrap_or(1);
    (0..count).map(|i| format!("user-{:07}", i * step % count)).collect()
}

const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_once() {
        for count in [1, 2, 10, 1000] {
            let mut names = names(count);
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
