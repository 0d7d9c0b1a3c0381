//! Several queues in one process, the pods they share, and an exchange that delays, loses, repeats and cuts. Time is
//! scripted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vtc_core::predict::AsAllowed;
use vtc_core::queue::discipline::{self, DisciplineOptions};
use vtc_core::queue::{QueueLimits, QueueNews, RequestId, UserNews, Weight};
use vtc_core::{Arrival, FairQueue, Usage};

use crate::model::Job;

/// News on their way.
#[derive(Clone, Debug)]
struct Letter {
    due: u64,
    from: usize,
    to: usize,
    news: QueueNews,
    /// What the sender runs on each pod.
    held: Vec<u64>,
    is_repeated: bool,
}

/// What becomes of one letter.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// Steps that it takes.
    pub delay: u64,
    pub is_lost: bool,
    /// It comes a second time, so much later.
    pub again: Option<u64>,
}

/// A request that runs.
#[derive(Clone, Copy, Debug)]
struct Runs {
    id: RequestId,
    job: Job,
    replica: usize,
    pod: usize,
    done: u64,
}

/// A replica's queue, and what it knows.
pub struct Replica {
    pub queue: FairQueue<Job>,
    /// Its last row of each user, as whoever carries them keeps them.
    rows: BTreeMap<Box<str>, UserNews>,
    /// What each of the others runs on each pod, as far as is known.
    elsewhere: Vec<Vec<u64>>,
    is_dead: bool,
}

/// Replicas, and the pods that they share.
pub struct Fleet {
    pub replicas: Vec<Replica>,
    /// Places on each pod.
    places: Vec<u64>,
    runs: Vec<Runs>,
    letters: Vec<Letter>,
    /// To whom the next news from whom must be everything.
    gaps: BTreeSet<(usize, usize)>,
    /// How many letters in a row were lost.
    losses: BTreeMap<(usize, usize), u32>,
    /// Between whom nothing passes.
    pub cuts: BTreeSet<(usize, usize)>,
    /// Steps between two exchanges; 0: there is none.
    interval: u64,
    pub step: u64,
    /// The service of each user, in a counter's units: divided by its weight.
    pub served: Vec<u64>,
    /// The most requests more than there are places that ran on one pod.
    pub excess: u64,
    /// Places that were free while somebody waited, over all steps.
    pub idle: u64,
    /// Places, over all steps in which somebody waited.
    pub offered: u64,
    /// What was served to all, in each step of the last interval.
    recent: VecDeque<u64>,
    /// The most that was served to all in one interval.
    pub rate: u64,
    /// Whether replicas leave room to others as they should.
    pub is_polite: bool,
}

/// So many letters in a row are lost at most.
const MOST_LOST: u32 = 3;

pub fn name(user: usize) -> String {
    format!("user-{user}")
}

impl Fate {
    pub const fn after(delay: u64) -> Self {
        Self { delay, is_lost: false, again: None }
    }
}

impl Fleet {
    pub fn new(discipline: &str, replicas: usize, users: usize, places: &[u64], interval: u64) -> Self {
        let replica = |_| Replica {
            queue: FairQueue::new(discipline::by_name(discipline, &DisciplineOptions::default()).unwrap())
                .with_predictor(AsAllowed)
                .with_limits(QueueLimits::NONE),
            rows: BTreeMap::new(),
            elsewhere: vec![vec![0; places.len()]; replicas],
            is_dead: false,
        };
        Self {
            replicas: (0..replicas).map(replica).collect(),
            places: places.to_vec(),
            runs: Vec::new(),
            letters: Vec::new(),
            gaps: BTreeSet::new(),
            losses: BTreeMap::new(),
            cuts: BTreeSet::new(),
            interval,
            step: 0,
            served: vec![0; users],
            excess: 0,
            idle: 0,
            offered: 0,
            recent: VecDeque::new(),
            rate: 0,
            is_polite: true,
        }
    }

    pub fn push(&mut self, replica: usize, job: Job) {
        let user = name(job.user);
        let mut arrival = Arrival::new(&user, job.input, job);
        arrival.weight = Weight::new(f64::from(job.weight) / 1000.0).unwrap();
        arrival.max_output = Some(job.predicted);
        self.replicas[replica].queue.push(arrival).unwrap();
    }

    /// How many requests of the user wait at that replica.
    pub fn waiting(&self, replica: usize, user: usize) -> usize {
        self.replicas[replica].queue.standing(&name(user)).map_or(0, |standing| standing.waiting)
    }

    /// Whether anything of the user waits or runs at that replica.
    pub fn is_present(&self, replica: usize, user: usize) -> bool {
        let standing = self.replicas[replica].queue.standing(&name(user));
        standing.is_some_and(|standing| standing.waiting + standing.running > 0)
    }

    pub fn counter(&self, replica: usize, user: usize) -> Option<u128> {
        self.replicas[replica].queue.standing(&name(user)).map(|standing| standing.counter.units())
    }

    /// It neither dispatches nor tells anything from now on; what it runs, runs on.
    pub fn stop(&mut self, replica: usize) {
        self.replicas[replica].is_dead = true;
    }

    /// A replica is told that another is gone.
    pub fn lose(&mut self, replica: usize, gone: usize) {
        self.letters.retain(|letter| (letter.from, letter.to) != (gone, replica));
        self.replicas[replica].queue.import([(&*name_of(gone), None)]);
        self.replicas[replica].elsewhere[gone] = vec![0; self.places.len()];
        self.gaps.insert((gone, replica));
    }

    /// Nothing passes between these two, and each counts the other as gone.
    pub fn part(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            self.cuts.insert((from, to));
            self.lose(to, from);
        }
    }

    /// One step: exchanges, dispatches, and a token for each that runs.
    pub fn step(&mut self, mut fate: impl FnMut() -> Fate) {
        let before: u64 = self.served.iter().sum();
        for replica in 0..self.replicas.len() {
            // Each at a time of its own.
            let phase = replica as u64 * self.interval / self.replicas.len() as u64;
            if self.interval > 0 && self.step % self.interval == phase {
                self.exchange(replica, &mut fate);
            }
            self.dispatch(replica);
        }
        self.watch();
        self.write();
        self.step += 1;
        self.recent.push_back(self.served.iter().sum::<u64>() - before);
        if self.recent.len() as u64 > self.interval {
            self.recent.pop_front();
        }
        self.rate = self.rate.max(self.recent.iter().sum());
    }

    /// One replica tells its news, and reads what has come.
    pub fn exchange(&mut self, replica: usize, mut fate: impl FnMut() -> Fate) {
        if self.replicas[replica].is_dead {
            return;
        }
        let news = self.replicas[replica].queue.export(false);
        let rows = &mut self.replicas[replica].rows;
        news.forgotten.iter().for_each(|user| drop(rows.remove(user)));
        rows.extend(news.users.iter().map(|row| (row.user.clone(), row.clone())));
        let everything = QueueNews { whole: true, users: rows.values().cloned().collect(), ..news.clone() };
        let held = self.held(replica);
        for to in (0..self.replicas.len()).filter(|to| *to != replica) {
            let Fate { delay, is_lost, again } = fate();
            let losses = self.losses.entry((replica, to)).or_default();
            let is_lost = is_lost && *losses < MOST_LOST;
            *losses = if is_lost { *losses + 1 } else { 0 };
            if is_lost || self.cuts.contains(&(replica, to)) {
                self.gaps.insert((replica, to));
                continue;
            }
            let news = if self.gaps.remove(&(replica, to)) { everything.clone() } else { news.clone() };
            // In the order in which they were sent.
            let is_before =
                |letter: &&Letter| (letter.from, letter.to) == (replica, to) && !letter.is_repeated;
            let last = self.letters.iter().filter(is_before);
            let due = last.map(|letter| letter.due).max().unwrap_or(0).max(self.step + delay);
            let letter = Letter { due, from: replica, to, news, held: held.clone(), is_repeated: false };
            if let Some(later) = again {
                let due = due + later;
                self.letters.push(Letter { due, is_repeated: true, ..letter.clone() });
            }
            self.letters.push(letter);
        }
        let step = self.step;
        let mine: Vec<_> =
            self.letters.extract_if(.., |letter| letter.to == replica && letter.due <= step).collect();
        let names: Vec<_> = mine.iter().map(|letter| name_of(letter.from)).collect();
        let this = &mut self.replicas[replica];
        this.queue.import(names.iter().zip(&mine).map(|(name, letter)| (&**name, Some(&letter.news))));
        for letter in mine.iter().filter(|letter| !letter.is_repeated) {
            this.elsewhere[letter.from].clone_from(&letter.held);
        }
        let free = (0..self.places.len()).map(|pod| self.free(replica, pod)).sum::<u64>();
        self.replicas[replica].queue.deal(&name_of(replica), Some(usize::try_from(free).unwrap()));
    }

    /// Whether somebody waits at that replica, and a place is free as far as it knows.
    pub fn is_idle(&self, replica: usize) -> bool {
        let has_place = (0..self.places.len()).any(|pod| self.free(replica, pod) > 0);
        has_place && self.replicas[replica].queue.waiting() > 0
    }

    /// Places that are free there, as that replica sees it.
    fn free(&self, replica: usize, pod: usize) -> u64 {
        let elsewhere: u64 = self.replicas[replica].elsewhere.iter().map(|held| held[pod]).sum();
        self.places[pod].saturating_sub(elsewhere + self.held(replica)[pod])
    }

    fn held(&self, replica: usize) -> Vec<u64> {
        let mut held = vec![0; self.places.len()];
        self.runs.iter().filter(|runs| runs.replica == replica).for_each(|runs| held[runs.pod] += 1);
        held
    }

    /// All go from that replica who may.
    pub fn dispatch(&mut self, replica: usize) {
        if self.replicas[replica].is_dead {
            return;
        }
        loop {
            let pod = (0..self.places.len()).find(|pod| self.free(replica, *pod) > 0);
            let mut is_left = false;
            let queue = &mut self.replicas[replica].queue;
            let went = queue.pop(|head| {
                let yields = head.yields && self.is_polite;
                is_left = yields && pod.is_some();
                pod.filter(|_| !yields)
            });
            if is_left {
                queue.left_room();
            }
            let Some(went) = went else { return };
            let (id, pod, job) = (went.id, went.place, went.payload);
            self.served[job.user] += job.charge(job.input, 0);
            self.runs.push(Runs { id, job, replica, pod, done: 0 });
        }
    }

    fn watch(&mut self) {
        let mut held = vec![0; self.places.len()];
        self.runs.iter().for_each(|runs| held[runs.pod] += 1);
        let excess =
            held.iter().zip(&self.places).map(|(held, places): (&u64, &u64)| held.saturating_sub(*places));
        self.excess = self.excess.max(excess.max().unwrap_or(0));
        let is_alive = |replica: &&Replica| !replica.is_dead;
        if self.replicas.iter().filter(is_alive).any(|replica| replica.queue.waiting() > 0) {
            let free = held.iter().zip(&self.places).map(|(held, places)| places.saturating_sub(*held));
            self.idle += free.sum::<u64>();
            self.offered += self.places.iter().sum::<u64>();
        }
    }

    /// Each request that runs writes a token, and ends with its last.
    pub fn write(&mut self) {
        for runs in &mut self.runs {
            if runs.done < runs.job.output {
                runs.done += 1;
                assert!(self.replicas[runs.replica].queue.delivered(runs.id, 1));
                let job = &runs.job;
                self.served[job.user] +=
                    job.charge(job.input, runs.done) - job.charge(job.input, runs.done - 1);
            }
        }
        let ended: Vec<_> = self.runs.extract_if(.., |runs| runs.done == runs.job.output).collect();
        for Runs { id, job, replica, .. } in ended {
            assert!(self.replicas[replica].queue.settle(id, Usage::new(job.input, job.output)));
        }
    }
}

fn name_of(replica: usize) -> String {
    format!("replica-{replica}")
}
