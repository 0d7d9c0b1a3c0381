//! What other replicas run on the pods, as far as they have told.

use std::collections::HashMap;
use std::sync::Arc;

use super::capacity::Held;
use super::news::{News, PodNews};

#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    replicas: HashMap<Arc<str>, Replica>,
}

/// Another replica.
#[derive(Debug, Default)]
struct Replica {
    revision: u64,
    pods: HashMap<Box<str>, Held>,
}

// === impl Elsewhere ===

impl Elsewhere {
    /// The replicas that are known.
    pub(super) fn replicas(&self) -> impl Iterator<Item = &Arc<str>> {
        self.replicas.keys()
    }

    /// Takes in what a replica tells of pods: those of which something has changed. `None`, if nothing of the news is to be
    /// read: they are older than what was read before, or it is not known and they are not everything.
    pub(super) fn hear(&mut self, from: &Arc<str>, news: &News) -> Option<Vec<Box<str>>> {
        if !news.whole && !self.replicas.contains_key(from) {
            return None;
        }
        let replica = self.replicas.entry(Arc::clone(from)).or_default();
        if news.revision < replica.revision {
            return None;
        }
        replica.revision = news.revision;
        let mut changed: Vec<Box<str>> = Vec::new();
        if news.whole {
            changed.extend(replica.pods.drain().map(|(pod, _)| pod));
        }
        for PodNews { pod, running, tokens } in &news.pods {
            changed.push(pod.clone());
            if *running == 0 {
                replica.pods.remove(pod);
            } else {
                let running = usize::try_from(*running).unwrap_or(usize::MAX);
                replica.pods.insert(pod.clone(), Held { running, tokens: *tokens });
            }
        }
        Some(changed)
    }

    /// A replica is gone: the pods that it ran something on.
    pub(super) fn lose(&mut self, from: &str) -> Vec<Box<str>> {
        self.replicas.remove(from).into_iter().flat_map(|replica| replica.pods.into_keys()).collect()
    }

    /// What all of them run on that pod. O(replicas).
    pub(super) fn on(&self, pod: &str) -> Held {
        let held = self.replicas.values().filter_map(|replica| replica.pods.get(pod));
        held.fold(Held::default(), |sum, held| sum.and(*held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(revision: u64, whole: bool, pods: &[(&str, u64)]) -> News {
        let row = |(pod, running): &(&str, u64)| PodNews {
            pod: (*pod).into(),
            running: *running,
            tokens: running * 10,
        };
        News { revision, whole, pools: Vec::new(), pods: pods.iter().map(row).collect() }
    }

    fn running(elsewhere: &Elsewhere) -> [usize; 2] {
        ["a", "b"].map(|pod| elsewhere.on(pod).running)
    }

    #[test]
    fn pods_hold_what_all_replicas_run_until_they_are_gone() {
        let mut elsewhere = Elsewhere::default();
        let [one, two] = ["one", "two"].map(Arc::<str>::from);
        elsewhere.hear(&one, &news(1, true, &[("a", 2), ("b", 1)])).unwrap();
        elsewhere.hear(&two, &news(7, true, &[("a", 3)])).unwrap();
        assert_eq!((running(&elsewhere), elsewhere.on("a").tokens), ([5, 1], 50));
        assert_eq!(elsewhere.hear(&one, &news(2, false, &[("b", 0)])).unwrap(), [Box::<str>::from("b")]);
        assert_eq!(running(&elsewhere), [5, 0]);
        elsewhere.hear(&one, &news(3, true, &[("b", 4)])).unwrap();
        assert_eq!(running(&elsewhere), [3, 4], "everything: what is not in it is not there");
        assert_eq!(elsewhere.lose("one"), [Box::<str>::from("b")]);
        assert_eq!(running(&elsewhere), [3, 0]);
    }

    #[test]
    fn what_is_old_or_has_no_beginning_is_not_read() {
        let mut elsewhere = Elsewhere::default();
        let one = Arc::from("one");
        assert!(elsewhere.hear(&one, &news(4, false, &[("a", 1)])).is_none());
        elsewhere.hear(&one, &news(5, true, &[("a", 2)])).unwrap();
        assert!(elsewhere.hear(&one, &news(4, false, &[("a", 1)])).is_none());
        elsewhere.hear(&one, &news(5, true, &[("a", 2)])).unwrap();
        assert_eq!(running(&elsewhere), [2, 0], "twice the same is the same");
    }
}
