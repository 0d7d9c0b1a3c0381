//! Laws of the exchange, with a Redis made of maps that loses, repeats and delays what it is told.
//!
//! 1. Whatever went wrong, once everybody has had a few rounds that went well, each replica knows of each other exactly what
//!    that one has, and of one that has ended nothing that it never said.
//! 2. If nothing was lost in Redis itself, and nothing carried out late, what one said that has ended is known as it said it
//!    last.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::super::row::{Life, Row};
use super::*;

const BOUNDS: Bounds = Bounds {
    longest_silence: Duration::from_secs(5),
    log: Duration::from_secs(20),
    most_rows: 3,
    most_entries: 4,
    most_tables: 2,
};
const REPLICAS: usize = 3;
/// Beyond any test: what ages is tested by itself.
const END: Tick = Tick::from_nanos(u64::MAX / 2);

type Bytes = Box<[u8]>;
type Tables = BTreeMap<String, BTreeMap<Bytes, Bytes>>;

#[derive(Clone, Debug, Default)]
struct FakeRedis {
    now: u64,
    last: Place,
    log: VecDeque<(Place, Vec<u8>)>,
    members: BTreeSet<Arc<str>>,
    numbers: BTreeMap<Arc<str>, (Vec<u64>, u64)>,
    tables: BTreeMap<Arc<str>, Tables>,
}

struct Replica {
    id: Arc<str>,
    exchange: Exchange,
    /// What it has.
    truth: Tables,
    /// What it knows of others.
    known: BTreeMap<Arc<str>, Tables>,
    here: BTreeSet<Arc<str>>,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Well,
    RequestLost,
    ReplyLost,
    /// It is carried out when others have been carried out meanwhile; nobody hears the reply.
    Late,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Put {
        replica: usize,
        table: u8,
        key: u8,
        value: u8,
    },
    Remove {
        replica: usize,
        table: u8,
        key: u8,
    },
    Round {
        replica: usize,
        fate: Fate,
    },
    CarryOutLate,
    Move(u64),
    Restart(usize),
    Empty,
    /// The state of some rounds ago is back.
    FallBack(usize),
}

fn op(losses: bool) -> impl Strategy<Value = Op> {
    let fate = prop_oneof![
        6 => Just(Fate::Well),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::ReplyLost),
        1 => Just(Fate::Late)
    ];
    let loss = if losses { 1 } else { 0 };
    prop_oneof![
        12 => (0..REPLICAS, 0..3u8, 0..4u8, 0..9u8)
            .prop_map(|(replica, table, key, value)| Op::Put { replica, table, key, value }),
        4 => (0..REPLICAS, 0..3u8, 0..4u8).prop_map(|(replica, table, key)| Op::Remove { replica, table, key }),
        20 => (0..REPLICAS, fate).prop_map(|(replica, fate)| Op::Round { replica, fate }),
        2 => Just(Op::CarryOutLate),
        6 => prop_oneof![8 => 1..300u64, 1 => 300..30_000u64].prop_map(Op::Move),
        1 => (0..REPLICAS).prop_map(Op::Restart),
        loss => Just(Op::Empty),
        loss => (1..10usize).prop_map(Op::FallBack),
    ]
}

impl FakeRedis {
    fn serve(&mut self, trip: &Trip) -> Reply {
        let written = trip.write.as_ref().map(|writing| self.write(writing));
        let found = trip.wanted.iter().map(|wanted| self.find(wanted)).collect();
        let (mut end, mut members, mut entries) = (Place::default(), Vec::new(), Vec::new());
        let mut goes_on = false;
        match trip.log {
            Log::End => {
                end = self.log.back().map(|(place, _)| *place).unwrap_or_default();
                members = self.members.iter().cloned().collect();
            }
            Log::Behind(after, most) => {
                goes_on = self.log.iter().any(|(place, _)| *place == after);
                entries = self.log.iter().filter(|(place, _)| *place > after).take(most).cloned().collect();
            }
        }
        Reply { micros: self.now * 1000, written, found, end, members, goes_on, entries }
    }

    fn write(&mut self, Writing { entry, look_back, .. }: &Writing) -> Vec<u64> {
        let place = Place { millis: self.now, number: 0 };
        let after = Place { number: self.last.number + 1, ..self.last };
        self.last = place.max(after);
        self.log.push_back((self.last, entry.to_bytes().unwrap()));
        let horizon = self.now.saturating_sub(BOUNDS.log.as_millis() as u64);
        self.log.retain(|(place, _)| place.millis >= horizon);
        self.members.insert(Arc::clone(&entry.from));
        let tables = self.tables.entry(Arc::clone(&entry.from)).or_default();
        for rows in &entry.tables {
            let table = tables.entry(rows.table.to_string()).or_default();
            apply(table, rows.whole, &rows.rows);
        }
        let expires = self.now + BOUNDS.longest_silence.as_millis() as u64;
        let numbers = self.numbers.entry(Arc::clone(&entry.from)).or_default();
        if numbers.1 <= self.now {
            numbers.0.clear();
        }
        numbers.0.push(entry.number);
        numbers.1 = expires;
        let first = numbers.0.len().saturating_sub(*look_back);
        numbers.0[first..].to_vec()
    }

    fn find(&self, wanted: &Wanted) -> Found {
        match wanted {
            Wanted::Tables(id) => {
                let number = self.numbers.get(id).filter(|(_, expires)| *expires > self.now);
                let tables = self.tables.get(id).into_iter().flat_map(Tables::keys);
                Found::Tables {
                    number: number.and_then(|(numbers, _)| numbers.last().copied()),
                    tables: tables.map(|name| name.as_str().into()).collect(),
                }
            }
            Wanted::Table(id, table) => {
                let rows = self.tables.get(id).and_then(|tables| tables.get(&**table));
                let row =
                    |(key, value): (&Bytes, &Bytes)| Row { key: key.clone(), value: Some(value.clone()) };
                Found::Table {
                    left: rows.map(|_| Duration::from_secs(1_000_000)),
                    rows: rows.into_iter().flatten().map(row).collect(),
                }
            }
        }
    }
}

fn apply(table: &mut BTreeMap<Bytes, Bytes>, whole: bool, rows: &[Row]) {
    if whole {
        table.clear();
    }
    for Row { key, value } in rows {
        match value {
            Some(value) => drop(table.insert(key.clone(), value.clone())),
            None => drop(table.remove(key)),
        }
    }
}

impl Replica {
    fn new(id: String) -> Self {
        let id: Arc<str> = id.into();
        let exchange = Exchange::new(Arc::clone(&id), BOUNDS);
        Self { id, exchange, truth: Tables::new(), known: BTreeMap::new(), here: BTreeSet::new() }
    }

    fn put(&mut self, table: u8, key: u8, value: Option<u8>) {
        let value = value.map(|value| Bytes::from([value]));
        let name = format!("t{table}");
        self.exchange.outbox().put(&name, Life::Until(END), &[key], value.clone());
        let row = Row { key: [key].into(), value };
        apply(self.truth.entry(name).or_default(), false, &[row]);
    }

    fn replied(&mut self, reply: Reply, now: Tick) -> bool {
        let Followed { heard, start_over, more } = self.exchange.replied(reply, now);
        self.hear(heard);
        if start_over {
            for (name, rows) in &self.truth {
                for (key, value) in rows {
                    self.exchange.outbox().put(name, Life::Until(END), key, Some(value.clone()));
                }
            }
        }
        more || start_over
    }

    fn hear(&mut self, heard: Vec<Heard>) {
        for heard in heard {
            match heard {
                Heard::Rows { from, table, whole, rows, .. } => {
                    assert_ne!(from, self.id);
                    let tables = self.known.entry(Arc::clone(&from)).or_default();
                    apply(tables.entry(table.to_string()).or_default(), whole, &rows);
                    self.here.insert(from);
                }
                Heard::Gone(id) => drop(self.here.remove(&id)),
            }
        }
    }
}

/// Without tables that have nothing.
fn filled(tables: &Tables) -> Tables {
    tables
        .iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(name, rows)| (name.clone(), rows.clone()))
        .collect()
}

fn law(ops: Vec<Op>, losses: bool) -> Result<(), TestCaseError> {
    let mut redis = FakeRedis { now: 1_000_000, ..FakeRedis::default() };
    let mut names = 0;
    let mut start = || {
        names += 1;
        Replica::new(format!("replica-{names}"))
    };
    let mut replicas: Vec<_> = (0..REPLICAS).map(|_| start()).collect();
    let (mut late, mut states) = (VecDeque::new(), Vec::new());
    let mut ended: BTreeMap<Arc<str>, Tables> = BTreeMap::new();
    let mut said: BTreeSet<(Arc<str>, String, Bytes, Bytes)> = BTreeSet::new();
    let mut belated = BTreeSet::new();
    let tick = |redis: &FakeRedis| Tick::from_nanos(redis.now * 1_000_000);
    for op in ops {
        match op {
            Op::Put { replica, table, key, value } => {
                let replica = &mut replicas[replica];
                replica.put(table, key, Some(value));
                said.insert((Arc::clone(&replica.id), format!("t{table}"), [key].into(), [value].into()));
            }
            Op::Remove { replica, table, key } => replicas[replica].put(table, key, None),
            Op::Round { replica, fate } => {
                let now = tick(&redis);
                states.push(redis.clone());
                let replica = &mut replicas[replica];
                let trip = replica.exchange.trip(now);
                match fate {
                    Fate::Well => {
                        let reply = redis.serve(&trip);
                        replica.replied(reply, now);
                    }
                    Fate::RequestLost => {
                        let heard = replica.exchange.failed(now);
                        replica.hear(heard);
                    }
                    Fate::ReplyLost | Fate::Late => {
                        if matches!(fate, Fate::Late) {
                            belated.insert(Arc::clone(&replica.id));
                            late.push_back(trip);
                        } else {
                            redis.serve(&trip);
                        }
                        let heard = replica.exchange.failed(now);
                        replica.hear(heard);
                    }
                }
            }
            Op::CarryOutLate => {
                if let Some(trip) = late.pop_front() {
                    redis.serve(&trip);
                }
            }
            Op::Move(millis) => redis.now += millis,
            Op::Restart(number) => {
                let replica = std::mem::replace(&mut replicas[number], start());
                // What Redis knows of it is what it said last; what it had no time to say is gone with it.
                let tables = redis.tables.get(&replica.id).cloned().unwrap_or_default();
                if !belated.contains(&replica.id) {
                    ended.insert(replica.id, tables);
                }
            }
            Op::Empty => redis = FakeRedis { now: redis.now, ..FakeRedis::default() },
            Op::FallBack(rounds) => {
                if let Some(at) = states.len().checked_sub(rounds) {
                    redis = FakeRedis { now: redis.now, ..states[at].clone() };
                    // It does not come back by another way.
                    states.truncate(at);
                }
            }
        }
    }
    late.into_iter().for_each(|trip| drop(redis.serve(&trip)));
    // Now everything goes well. What was carried out late is noticed with the next writing, what that leads to is said with
    // the one after it, and whoever missed that reads it.
    for _ in 0..40 {
        redis.now += 1_000;
        for replica in &mut replicas {
            let now = tick(&redis);
            let trip = replica.exchange.trip(now);
            let reply = redis.serve(&trip);
            replica.replied(reply, now);
        }
    }
    let here: BTreeSet<_> = replicas.iter().map(|replica| Arc::clone(&replica.id)).collect();
    for replica in &replicas {
        for other in replicas.iter().filter(|other| other.id != replica.id) {
            let known = replica.known.get(&other.id).map(filled).unwrap_or_default();
            prop_assert_eq!(known, filled(&other.truth), "{} of {}", replica.id, other.id);
        }
        prop_assert_eq!(replica.exchange.inbox().others(), REPLICAS - 1);
        prop_assert!(replica.here.is_subset(&here), "{:?} is still here", replica.here);
        for (id, tables) in replica.known.iter().filter(|(id, _)| !here.contains(*id)) {
            for (table, rows) in tables {
                for (key, value) in rows {
                    let row = (Arc::clone(id), table.clone(), key.clone(), value.clone());
                    prop_assert!(said.contains(&row), "{row:?} was never said");
                }
            }
        }
        if !losses {
            for (id, tables) in &ended {
                let known = replica.known.get(id).map(filled).unwrap_or_default();
                prop_assert_eq!(known, filled(tables), "{} of {}, which has ended", replica.id, id);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_wrong_on_the_way_everybody_knows_in_the_end(
        ops in prop::collection::vec(op(false), 1..120),
    ) {
        law(ops, false)?;
    }

    #[test]
    fn whatever_redis_loses_everybody_knows_in_the_end(ops in prop::collection::vec(op(true), 1..120)) {
        law(ops, true)?;
    }
}

#[test]
fn rows_age_by_rediss_clock_and_then_by_the_local_one() {
    let mut redis = FakeRedis { now: 5_000_000, ..FakeRedis::default() };
    let mut writer = Exchange::new("writer".into(), BOUNDS);
    let mut reader = Exchange::new("reader".into(), BOUNDS);
    let seconds = |seconds: u64| Tick::from_nanos(seconds * 1_000_000_000);
    // The clocks have nothing to do with each other.
    let reply = redis.serve(&reader.trip(seconds(9_000)));
    reader.replied(reply, seconds(9_000));
    writer.outbox().put("t", Life::Until(seconds(10)), b"a", Some([1].into()));
    let reply = redis.serve(&writer.trip(seconds(3)));
    writer.replied(reply, seconds(3));
    redis.now += 2_000;
    let reply = redis.serve(&reader.trip(seconds(9_002)));
    let Followed { heard, .. } = reader.replied(reply, seconds(9_002));
    assert!(matches!(&heard[..], [Heard::Rows { ends, .. }] if *ends == seconds(9_007)), "{heard:?}");
    // Redis is away: the reader does not hear that the writer is there still.
    assert_eq!(reader.failed(seconds(9_005)), []);
    assert_eq!(reader.failed(seconds(9_006)), [Heard::Gone("writer".into())]);
}

#[test]
fn who_has_nothing_to_say_says_so_now_and_then() {
    let mut redis = FakeRedis { now: 5_000_000, ..FakeRedis::default() };
    let mut quiet = Exchange::new("quiet".into(), BOUNDS);
    let mut writings = 0;
    for tenth in 0..100 {
        let now = Tick::from_nanos(tenth * 100_000_000);
        let trip = quiet.trip(now);
        writings += usize::from(trip.write.is_some());
        let reply = redis.serve(&trip);
        redis.now += 100;
        quiet.replied(reply, now);
    }
    assert_eq!(writings, 10, "one a second");
}
