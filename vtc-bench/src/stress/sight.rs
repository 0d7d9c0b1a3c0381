//! What is seen when nobody operates: everything the core shows, beside what should be seen.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use vtc_core::{Clock, Extremes, Pod, Tick, TokenTracker, UserHandle};

use super::amount::thousandths;
use super::held::Held;
use super::ledger::AccountNumber;
use super::stage::Stage;

/// One moment.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The time.
    pub now: Tick,
    /// What each account counts, by number, in thousandths.
    pub counts: Vec<u64>,
    /// Users in the list that have no number, or that are in it twice.
    pub strangers: Vec<String>,
    /// What some accounts count when they are asked for by name.
    pub by_name: Vec<(AccountNumber, u64)>,
    /// The extremes by an upkeep.
    pub upkept: Extremes,
    /// The extremes by a read, with a staleness of 0.
    pub read: Option<Extremes>,
    /// What minimum and maximum are while nobody has tokens.
    pub nobody: (f64, f64),
    /// How many accounts are open.
    pub accounts: usize,
    /// How many there may be.
    pub cap: usize,
    /// To how many of them somebody holds a handle or a ticket.
    pub held: usize,
    /// The pods in force, and those that tickets are on.
    pub pods: Vec<PodSight>,
    /// Tickets that were opened.
    pub opened: u64,
    /// Endings that said that they were the one, and drops of open tickets.
    pub ended: u64,
    /// Tickets that are open.
    pub open: u64,
}

/// One pod.
#[derive(Clone, Debug)]
pub struct PodSight {
    /// Its name.
    pub name: String,
    /// What it says.
    pub in_flight: u64,
    /// How many open tickets name it.
    pub open: u64,
}

/// How many accounts are asked for by name.
const ASKED: usize = 100;

// === impl Sight ===

impl Sight {
    /// Looks, while nobody operates. O(users). `None` if the time did not stand still meanwhile.
    pub fn take<C: Clock>(
        stage: &Stage<C>,
        handles: &[UserHandle<C>],
        tickets: &[Arc<Held<C>>],
    ) -> Option<Self> {
        let tracker = stage.router.tracker();
        let config = tracker.config();
        let now = tracker.clock().now();
        // Before the counts: reading a count takes off what has expired, and would do their work for them.
        let read = config.staleness.is_zero().then(|| tracker.extremes());
        let upkept = tracker.upkeep();
        let mut counts = vec![None; stage.names.len()];
        let mut strangers = Vec::new();
        for (name, count) in tracker.users() {
            let place = stage.number(&name).and_then(|number| counts.get_mut(number as usize));
            match place {
                Some(place) if place.is_none() => *place = Some(thousandths(count)),
                _ => strangers.push(name.to_string()),
            }
        }
        let counts: Vec<_> = counts.into_iter().map(Option::unwrap_or_default).collect();
        let by_name = (0..).zip(&stage.names).zip(&counts);
        // Under a cap, a name without an account of its own reads the shared one.
        let by_name = by_name.filter(|(_, count)| !stage.is_capped || **count > 0).take(ASKED);
        let by_name = by_name.map(|((number, name), _)| (number, thousandths(tracker.token_count(name))));
        let by_name = by_name.filter(|(number, _)| *number != stage.shared()).collect();
        let sight = Self {
            now,
            strangers,
            by_name,
            upkept,
            read,
            nobody: (config.min_tokens, config.max_tokens),
            accounts: tracker.account_count(),
            cap: config.max_users,
            held: held(stage, handles, tickets),
            pods: pods(stage, tickets),
            opened: stage.announced.opened(),
            ended: stage.announced.ended(),
            open: open(tickets).count() as u64,
            counts,
        };
        (tracker.clock().now() == now).then_some(sight)
    }
}

/// Open tickets, each once: a contested one is held twice.
pub fn open<C: Clock>(tickets: &[Arc<Held<C>>]) -> impl Iterator<Item = &Arc<Held<C>>> {
    let mut seen = HashSet::new();
    tickets.iter().filter(move |held| !held.ticket.has_ended() && seen.insert(Arc::as_ptr(held)))
}

/// How many accounts other than the shared one are held.
fn held<C: Clock>(stage: &Stage<C>, handles: &[UserHandle<C>], tickets: &[Arc<Held<C>>]) -> usize {
    let of_handles = handles.iter().map(UserHandle::name);
    let of_tickets = open(tickets).filter_map(|held| held.ticket.user());
    let names: HashSet<_> = of_handles.chain(of_tickets).collect();
    names.into_iter().filter(|name| stage.number(name) != Some(stage.shared())).count()
}

fn pods<C: Clock>(stage: &Stage<C>, tickets: &[Arc<Held<C>>]) -> Vec<PodSight> {
    let table = stage.router.pods().table();
    let mut pods: HashMap<*const Pod, PodSight> = HashMap::new();
    let sight = |pod: &Pod| PodSight { name: pod.name().to_owned(), in_flight: pod.in_flight(), open: 0 };
    for pod in table.pods() {
        pods.insert(Arc::as_ptr(pod), sight(pod));
    }
    for held in open(tickets) {
        let pod = held.ticket.pod();
        pods.entry(std::ptr::from_ref(pod)).or_insert_with(|| sight(pod)).open += 1;
    }
    pods.into_values().collect()
}
