//! Looks at everything, and makes a snapshot of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use vtc_actor::dispatcher::{DispatcherSnapshot, PodStanding, PoolSnapshot};
use vtc_core::{Clock, SlidingWindowTracker, Tick, TokenTracker, jain_index};

use super::TOP;
use super::snapshot::{Others, Part, Pod, Queue, Snapshot, Totals, User, bound};
use crate::fleet::{Backend, BreakerState};
use crate::gateway::Gateway;
use crate::record::{Flow, Record, Served};

/// The one who looks. What it saw last is what its rates begin at.
pub(super) struct Observer {
    last: Tick,
    /// How often it has looked.
    looks: u64,
    /// Whom it showed by name last.
    shown: Vec<Arc<Served>>,
    ended: u64,
    refused: u64,
}

/// A user at first sight.
struct Glance {
    user: Arc<Served>,
    weight: f64,
    in_flight: usize,
    tokens: f64,
    flow: Flow,
    /// The service of late.
    pace: f64,
}

/// Those who are looked at.
#[derive(Default)]
struct Crowd {
    glances: Vec<Glance>,
    flow: Flow,
    in_flight: usize,
    least_weight: f64,
    by_pod: HashMap<Arc<str>, Vec<Part>>,
}

/// How a user stands in all queues together.
#[derive(Clone, Copy, Default)]
struct Standing {
    counter: Option<f64>,
    waiting: usize,
    running: usize,
}

/// How many users of each queue are looked up.
const OF_QUEUE: usize = 1000;
/// How many users of a pod are shown.
const OF_POD: usize = 8;
/// How much the last second counts for the pace.
const NEWS: f64 = 0.2;

// === impl Observer ===

impl Observer {
    /// One who begins now: what flowed before is not shown. O(users), this once.
    pub(super) fn begin<C: Clock>(record: &Record, tracker: &SlidingWindowTracker<C>) -> Self {
        let mut crowd = Crowd::default();
        record.each_user(|user| {
            let in_flight = user.with(|numbers| {
                for pod in &mut numbers.pods {
                    pod.advance();
                }
                (numbers.sight.look, numbers.sight.pace) = (0, 0.0);
                numbers.in_flight
            });
            let tokens = tracker.token_count(user.name());
            if in_flight > 0 || tokens > 0.0 {
                let (user, flow) = (Arc::clone(user), Flow::default());
                crowd.glances.push(Glance { user, weight: 1.0, in_flight, tokens, flow, pace: 0.0 });
            }
        });
        // Of those who do nothing at the moment, the ones with the most tokens are shown.
        crowd.take_tail();
        let shown = crowd.glances.into_iter().map(|glance| glance.user).collect();
        let (ended, refused) = record.sums(|sums| (sums.ended, sums.refused));
        Self { last: record.now(), looks: 0, shown, ended, refused }
    }

    /// Looks. O(users that have had something in flight since the last look), with a microsecond or so for each: most of them
    /// are no longer in the processor's cache.
    pub(super) async fn look(&mut self, gateway: &Gateway) -> Snapshot {
        let queue = gateway.admission().snapshot(OF_QUEUE).await;
        let record = gateway.record();
        let tracker = gateway.router().tracker();
        let now = record.now();
        let seconds = now.since(self.last).as_secs_f64().max(1e-3);
        self.last = now;
        let weights = tracker.config().weights;
        self.looks += 1;
        let mut crowd = Crowd::look(record, tracker, &self.shown, (self.looks, seconds));
        let standings = standings(queue.as_ref());
        let jain =
            jain_index(crowd.glances.iter().filter(|it| it.in_flight > 0).map(|it| it.tokens / it.weight));
        let tail = crowd.take_tail();
        let waiting = queue.iter().flat_map(|it| &it.pools).map(|pool| pool.waiting).sum();
        let per_second = |count: u64, before: u64| count.saturating_sub(before) as f64 / seconds;
        let (ended, refused, first_token) =
            record.sums(|sums| (sums.ended, sums.refused, sums.first_tokens.clone()));
        let extremes = tracker.upkeep();
        let totals = Totals {
            users: extremes.users,
            window: tracker.config().span().as_secs_f64(),
            min_tokens: extremes.min,
            max_tokens: extremes.max,
            weights: [weights.input, weights.output],
            service: crowd.flow.weighted(&weights) / seconds,
            input: crowd.flow.input as f64 / seconds,
            output: crowd.flow.output as f64 / seconds,
            in_flight: crowd.in_flight,
            waiting,
            ended: per_second(ended, self.ended),
            refused: per_second(refused, self.refused),
            first_token: first_token.percentiles(now),
            jain,
        };
        (self.ended, self.refused) = (ended, refused);
        let others = Others {
            users: record.known_users().saturating_sub(crowd.glances.len()),
            service: tail.iter().map(|it| it.flow.weighted(&weights)).sum::<f64>() / seconds,
            in_flight: tail.iter().map(|it| it.in_flight).sum(),
        };
        let user = |glance: &Glance| {
            let standing = standings.get(&**glance.user.name()).copied();
            // Without a queue whatever is in flight runs.
            let Standing { counter, waiting, running } =
                standing.unwrap_or(Standing { running: glance.in_flight, ..Standing::default() });
            User {
                user: Arc::clone(glance.user.name()),
                weight: glance.weight,
                tokens: glance.tokens,
                counter,
                waiting,
                running,
                service: glance.flow.weighted(&weights) / seconds,
                input: glance.flow.input as f64 / seconds,
                output: glance.flow.output as f64 / seconds,
                first_token: glance.user.with(|numbers| numbers.first_tokens.percentiles(now)),
            }
        };
        let users = crowd.glances.iter().map(user).collect();
        self.shown = crowd.glances.into_iter().map(|glance| glance.user).collect();
        let fleet = gateway.fleet().load();
        let of_queue = |name: &str| queue.iter().flat_map(|it| &it.pods).find(|pod| *pod.name == *name);
        let at = gateway.router().tracker().clock().now();
        let pods = fleet.backends().iter().map(|backend| {
            let parts = crowd.by_pod.remove(backend.pod().name()).unwrap_or_default();
            pod(backend, of_queue(backend.pod().name()), backend.share(at), parts)
        });
        let pods = pods.collect();
        let capacity = |pool: &PoolSnapshot| {
            let service = fleet.pools().find(|service| **service.name() == *pool.name)?;
            let of = |pod: &Arc<vtc_core::Pod>| of_queue(pod.name())?.capacity.max_tokens;
            service.pods().pods().iter().map(of).sum::<Option<u64>>().filter(|tokens| *tokens > 0)
        };
        let queues = queue.iter().flat_map(|it| &it.pools).map(|pool| Queue {
            pool: Arc::clone(&pool.name),
            discipline: pool.discipline,
            waiting: pool.waiting,
            running: pool.running,
            users: pool.present_users,
            drain_rate: pool.drain_rate,
            gap: pool.gap,
            bound: capacity(pool).filter(|_| gateway.counts_tokens()).and_then(|capacity| {
                bound(pool.discipline, [weights.input, weights.output], capacity, crowd.least_weight)
            }),
            jain: pool.jain,
            wait: record.sums(|sums| sums.waits.get(&pool.name).cloned()).and_then(|it| it.percentiles(now)),
        });
        let millis = |at: Tick| {
            let since = record.time_of_day(at).duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
            // The cast saturates after half a billion years.
            since.as_millis() as u64
        };
        Snapshot {
            time: millis(now),
            started: millis(Tick::ZERO),
            totals,
            users,
            others,
            pods,
            queues: queues.collect(),
            troubles: fleet.troubles().to_vec(),
        }
    }
}

// === impl Crowd ===

impl Crowd {
    /// Looks at those who stirred and at those who were shown. `look`: its number, and the seconds since the one before.
    fn look<C: Clock>(
        record: &Record,
        tracker: &SlidingWindowTracker<C>,
        shown: &[Arc<Served>],
        (look, seconds): (u64, f64),
    ) -> Self {
        let weights = &tracker.config().weights;
        let mut crowd = Self { least_weight: f64::INFINITY, ..Self::default() };
        let mut busy = Vec::new();
        for user in record.stirred().iter().chain(shown) {
            let seen = user.with(|numbers| {
                let before = std::mem::replace(&mut numbers.sight.look, look);
                if before == look {
                    // It stirred, and it was shown.
                    return None;
                }
                // Whoever was listed has been taken from the list, and goes back while something is in flight.
                let is_listed = &mut numbers.sight.is_listed;
                *is_listed &= numbers.in_flight > 0;
                if *is_listed {
                    busy.push(Arc::clone(user));
                }
                let mut flow = Flow::default();
                let mut parts = Vec::new();
                for pod in &mut numbers.pods {
                    let news = pod.advance();
                    flow = flow.plus(news);
                    if news != Flow::default() {
                        parts.push((Arc::clone(&pod.pod), news.weighted(weights) / seconds));
                    }
                }
                // In the looks that it was left out of, nothing flowed.
                let missed = i32::try_from((look - 1).saturating_sub(before)).unwrap_or(i32::MAX);
                let pace = numbers.sight.pace * (1.0 - NEWS).powi(missed);
                numbers.sight.pace = pace + NEWS * (flow.weighted(weights) / seconds - pace);
                let glance = Glance {
                    user: Arc::clone(user),
                    weight: numbers.weight.as_f64(),
                    in_flight: numbers.in_flight,
                    tokens: 0.0,
                    flow,
                    pace: numbers.sight.pace,
                };
                Some((glance, parts))
            });
            let Some((mut glance, parts)) = seen else { continue };
            glance.tokens = tracker.token_count(user.name());
            for (pod, service) in parts {
                let part = Part { user: Arc::clone(user.name()), service };
                crowd.by_pod.entry(pod).or_default().push(part);
            }
            crowd.flow = crowd.flow.plus(glance.flow);
            crowd.in_flight += glance.in_flight;
            if glance.in_flight > 0 {
                crowd.least_weight = crowd.least_weight.min(glance.weight);
            }
            if glance.in_flight > 0 || glance.tokens > 0.0 || glance.flow != Flow::default() {
                crowd.glances.push(glance);
            }
        }
        record.stir(busy);
        if !crowd.least_weight.is_finite() {
            crowd.least_weight = 1.0;
        }
        crowd
    }

    /// Leaves the first by pace and tokens, in that order; the others are what it returns.
    fn take_tail(&mut self) -> Vec<Glance> {
        let order = |a: &Glance, b: &Glance| {
            let key = |it: &Glance| (it.pace, it.tokens);
            let ((a_pace, a_tokens), (b_pace, b_tokens)) = (key(a), key(b));
            let most_first = b_pace.total_cmp(&a_pace).then(b_tokens.total_cmp(&a_tokens));
            most_first.then_with(|| a.user.name().cmp(b.user.name()))
        };
        let mut tail = Vec::new();
        if self.glances.len() > TOP {
            self.glances.select_nth_unstable_by(TOP, order);
            tail = self.glances.split_off(TOP);
        }
        self.glances.sort_unstable_by(order);
        tail
    }
}

/// Every user that a queue shows.
fn standings(queue: Option<&DispatcherSnapshot>) -> HashMap<&str, Standing> {
    let mut standings: HashMap<&str, Standing> = HashMap::new();
    for user in queue.into_iter().flat_map(|it| &it.pools).flat_map(|pool| &pool.users) {
        let standing = standings.entry(&user.user).or_default();
        let counter = user.counter.as_f64();
        standing.counter = Some(standing.counter.map_or(counter, |other| other.max(counter)));
        standing.waiting += user.waiting;
        standing.running += user.running;
    }
    standings
}

fn pod(backend: &Backend, standing: Option<&PodStanding>, share: f64, mut parts: Vec<Part>) -> Pod {
    let health = match (backend.ready, backend.draining, backend.breaker) {
        (false, ..) => "away",
        (_, true, _) => "draining",
        (_, _, BreakerState::Closed) => "ready",
        _ => "failing",
    };
    let load = backend.vitals.load();
    let service = parts.iter().map(|part| part.service).sum();
    let most_first = |a: &Part, b: &Part| b.service.total_cmp(&a.service).then_with(|| a.user.cmp(&b.user));
    if parts.len() > OF_POD {
        parts.select_nth_unstable_by(OF_POD, most_first);
        parts.truncate(OF_POD);
    }
    parts.sort_unstable_by(most_first);
    Pod {
        pod: backend.pod().name().to_owned(),
        health,
        running: backend.pod().in_flight(),
        max_running: backend.capacity.max_running,
        tokens: standing.map(|it| it.tokens),
        max_tokens: backend.capacity.max_tokens,
        share,
        reported_waiting: load.as_ref().and_then(|load| load.waiting),
        kv_usage: load.as_ref().and_then(|load| load.kv_usage),
        service,
        users: parts,
    }
}

#[cfg(test)]
mod tests;
