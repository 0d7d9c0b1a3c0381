//! Whether a pod is there, by how it answers when it is asked: so many answers or misses in a row turn it.

use crate::settings::HealthSetting;

/// How a pod has answered of late. Not ready at first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    ready: bool,
    /// Checks in a row that said the contrary of `ready`.
    contrary: u32,
}

// === impl Health ===

impl Health {
    pub(super) const fn is_ready(self) -> bool {
        self.ready
    }

    /// It answered a check. Says whether it has become ready by that.
    pub(super) fn answered(&mut self, setting: &HealthSetting) -> bool {
        self.check(true, setting.healthy_after)
    }

    /// It did not answer a check as it should. Says whether it is not ready any more by that.
    pub(super) fn missed(&mut self, setting: &HealthSetting) -> bool {
        self.check(false, setting.unhealthy_after)
    }

    /// Nobody is there: a request found out. Says whether it was ready until then.
    pub(super) fn away(&mut self) -> bool {
        self.contrary = 0;
        std::mem::take(&mut self.ready)
    }

    fn check(&mut self, answered: bool, after: u32) -> bool {
        if answered == self.ready {
            self.contrary = 0;
            return false;
        }
        self.contrary += 1;
        let turns = self.contrary >= after;
        if turns {
            (self.ready, self.contrary) = (answered, 0);
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_missed_check_takes_nobody_off_but_nobody_there_does() {
        let setting = HealthSetting::default();
        let mut health = Health::default();
        assert!(health.answered(&setting), "one answer is enough");
        assert!(!health.missed(&setting));
        assert!(health.is_ready());
        assert!(!health.answered(&setting));
        assert!(!health.missed(&setting), "not in a row");
        assert!(health.missed(&setting));
        assert!(!health.is_ready());
        health.answered(&setting);
        assert!(health.away());
        assert!(!health.is_ready());
    }

    proptest! {
        /// It is ready if of the last run of answers long enough and the last run of misses long enough the answers
        /// came later.
        #[test]
        fn the_last_run_that_was_long_enough_counts(
            checks in prop::collection::vec(prop::bool::ANY, 0..100),
            healthy_after in 1_u32..4,
            unhealthy_after in 1_u32..4,
        ) {
            let setting = HealthSetting { healthy_after, unhealthy_after, ..HealthSetting::default() };
            let mut health = Health::default();
            for (at, answered) in checks.iter().enumerate() {
                if *answered { health.answered(&setting) } else { health.missed(&setting) };
                let seen = &checks[..=at];
                let ends = |wanted: bool, long: u32| (0..=at).rev().find(|end| {
                    let run = seen[..=*end].iter().rev().take_while(|answered| **answered == wanted);
                    run.count() >= long as usize
                });
                let naive = match (ends(true, healthy_after), ends(false, unhealthy_after)) {
                    (Some(ready), Some(away)) => ready > away,
                    (ready, _) => ready.is_some(),
                };
                prop_assert_eq!(health.is_ready(), naive);
            }
        }
    }
}
