//! The disciplines as the paper writes them: lists, scans, and nobody is ever forgotten. Rules can be switched off.

use vtc_core::Tokens;
use vtc_core::queue::Weight;

/// A request, and what will become of it.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub user: usize,
    /// In thousandths.
    pub weight: u32,
    pub input: u64,
    /// How long the answer will be.
    pub output: u64,
    /// How long it is predicted to be, where anything is.
    pub predicted: u64,
}

/// One discipline, and rules that can be switched off.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub discipline: &'static str,
    /// The quantum of `drr`, in a counter's units.
    pub quantum: u128,
    /// Whether a head that does not fit stops the dispatch. If not, the next user's is tried.
    pub stop: bool,
    /// Whether a dispatch is charged at once. If not, when the batch is formed.
    pub charge_in_loop: bool,
    pub running_per_user: usize,
}

#[derive(Debug)]
pub struct Model {
    rules: Rules,
    users: Vec<User>,
    waiting: Vec<(u64, Job)>,
    running: Vec<Running>,
    last_left: Option<usize>,
    /// The largest counter there ever was, and the counter at the last choice.
    highest: u128,
    last: u128,
    /// What all counters were raised to. A refund takes none below.
    floor: u128,
    entries: u64,
    /// What a batch that is being formed will be charged.
    uncharged: Vec<(usize, u64)>,
}

#[derive(Clone, Debug, Default)]
struct User {
    counter: u128,
    /// When it came into the order, if it stands there.
    entry: Option<u64>,
}

#[derive(Clone, Debug)]
struct Running {
    id: u64,
    job: Job,
    prepaid: u64,
    output: u64,
    charged: u64,
}

impl Job {
    /// `(input + 2 output) / weight`, in a counter's units.
    pub fn charge(&self, input: u64, output: u64) -> u64 {
        let thousandths = u128::from(input + 2 * output) * 1000;
        u64::try_from(thousandths * 1_000_000 / u128::from(self.weight)).unwrap()
    }

    /// The tokens that are reserved for it.
    pub fn size(&self) -> u64 {
        self.input + self.output.max(self.predicted)
    }

    pub fn weight(&self) -> Weight {
        Weight::new(f64::from(self.weight) / 1000.0).unwrap()
    }
}

impl Rules {
    pub fn of(discipline: &'static str) -> Self {
        let quantum = u128::from(Weight::ONE.charge(Tokens::new(7.0).unwrap()));
        Self { discipline, quantum, stop: true, charge_in_loop: true, running_per_user: usize::MAX }
    }
}

impl Model {
    pub fn new(rules: Rules, users: usize) -> Self {
        Self {
            rules,
            users: vec![User::default(); users],
            waiting: Vec::new(),
            running: Vec::new(),
            last_left: None,
            highest: 0,
            last: 0,
            floor: 0,
            entries: 0,
            uncharged: Vec::new(),
        }
    }

    pub fn push(&mut self, id: u64, job: Job) {
        self.waiting.push((id, job));
        self.refresh(job.user);
    }

    /// Dispatches one request, if `fits` agrees.
    pub fn pop(&mut self, mut fits: impl FnMut(u64, &Job, u64) -> bool) -> Option<(u64, Job)> {
        if self.rules.discipline == "vtc-max-fair" {
            let v = if self.running.is_empty() { self.highest } else { self.last };
            self.floor = self.floor.max(v);
            for user in &mut self.users {
                user.counter = user.counter.max(self.floor);
            }
        }
        let mut users: Vec<_> =
            (0..self.users.len()).filter(|user| self.users[*user].entry.is_some()).collect();
        users.sort_by_key(|user| self.key(*user));
        for user in users {
            let at = self.waiting.iter().position(|(_, job)| job.user == user).unwrap();
            let (id, job) = self.waiting[at];
            let prepaid = if self.rules.discipline == "vtc-pred" { job.predicted } else { 0 };
            if fits(id, &job, prepaid) {
                self.waiting.remove(at);
                self.last = self.users[user].counter;
                let charged = job.charge(job.input, prepaid);
                self.running.push(Running { id, job, prepaid, output: 0, charged });
                if self.rules.charge_in_loop {
                    self.charge(user, charged);
                } else {
                    self.uncharged.push((user, charged));
                }
                self.refresh(user);
                return Some((id, job));
            }
            if self.rules.stop {
                break;
            }
        }
        None
    }

    /// The batch is formed.
    pub fn formed(&mut self) {
        for (user, charge) in std::mem::take(&mut self.uncharged) {
            self.charge(user, charge);
        }
    }

    pub fn cancel(&mut self, id: u64) {
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == id).unwrap();
        let (_, job) = self.waiting.remove(at);
        self.refresh(job.user);
    }

    pub fn delivered(&mut self, id: u64, tokens: u64) {
        let running = self.running.iter_mut().find(|running| running.id == id).unwrap();
        running.output += tokens;
        let due = running.job.charge(running.job.input, running.output.max(running.prepaid));
        let more = due.saturating_sub(running.charged);
        running.charged += more;
        let user = running.job.user;
        self.charge(user, more);
    }

    /// Ends a request: it should have been charged for so many tokens.
    pub fn settle(&mut self, id: u64, input: u64, output: u64) {
        let due = self.running.iter().find(|running| running.id == id).unwrap().job.charge(input, output);
        self.end(id, due);
    }

    pub fn close(&mut self, id: u64) {
        let running = self.running.iter().find(|running| running.id == id).unwrap();
        let due = match running.output {
            0 => running.charged,
            output => running.job.charge(running.job.input, output),
        };
        self.end(id, due);
    }

    pub fn void(&mut self, id: u64) {
        self.end(id, 0);
    }

    fn end(&mut self, id: u64, due: u64) {
        let at = self.running.iter().position(|running| running.id == id).unwrap();
        let Running { job, charged, .. } = self.running.remove(at);
        self.charge(job.user, due.saturating_sub(charged));
        let counter = &mut self.users[job.user].counter;
        *counter = (*counter - u128::from(charged.saturating_sub(due))).max(self.floor);
        self.refresh(job.user);
    }

    fn charge(&mut self, user: usize, charge: u64) {
        self.users[user].counter += u128::from(charge);
        self.highest = self.highest.max(self.users[user].counter);
    }

    /// Lets a user into the order or out of it, if it has come to that.
    fn refresh(&mut self, user: usize) {
        let waits = self.waiting.iter().any(|(_, job)| job.user == user);
        let runs = self.running.iter().filter(|running| running.job.user == user).count();
        let may = waits && runs < self.rules.running_per_user;
        match (self.users[user].entry, may) {
            (None, true) => {
                self.lift(user);
                self.entries += 1;
                self.users[user].entry = Some(self.entries);
            }
            (Some(_), false) => {
                self.users[user].entry = None;
                self.last_left = Some(user);
            }
            _ => {}
        }
    }

    fn lift(&mut self, user: usize) {
        if matches!(self.rules.discipline, "fcfs" | "lcf" | "vtc-max-fair") {
            return;
        }
        // The user who goes next. In `drr` who comes in, comes in at the beginning of that one's round.
        let others = self.users.iter().filter(|other| other.entry.is_some()).map(|other| other.counter);
        let least = others.min().map(|least| match self.rules.discipline {
            "drr" => least / self.rules.quantum * self.rules.quantum,
            _ => least,
        });
        let Some(level) = least.or(self.last_left.map(|left| self.users[left].counter)) else { return };
        let counter = &mut self.users[user].counter;
        *counter = (*counter).max(level);
    }

    fn key(&self, user: usize) -> (u128, u64) {
        let User { counter, entry } = self.users[user];
        let arrival = self.waiting.iter().find(|(_, job)| job.user == user).unwrap().0;
        match self.rules.discipline {
            "fcfs" => (0, arrival),
            "drr" => (counter / self.rules.quantum, entry.unwrap()),
            _ => (counter, arrival),
        }
    }

    pub fn counter(&self, user: usize) -> u128 {
        self.users[user].counter.max(self.floor)
    }

    pub fn waits(&self, user: usize) -> bool {
        self.users[user].entry.is_some()
    }

    /// The requests that wait.
    pub fn waiting(&self) -> Vec<u64> {
        self.waiting.iter().map(|(id, _)| *id).collect()
    }

    /// The requests that run.
    pub fn running(&self) -> Vec<u64> {
        self.running.iter().map(|running| running.id).collect()
    }
}
