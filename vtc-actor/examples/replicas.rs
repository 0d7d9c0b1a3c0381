//! What sharing through Redis costs: replicas in this process, and a Redis of their own.
//!
//! ```sh
//! cargo run --release -p vtc-actor --features redis --example replicas -- cost 4 10000 10000 20
//! cargo run --release -p vtc-actor --features redis --example replicas -- hot-path 20
//! ```
//!
//! `cost REPLICAS USERS CHARGES SECONDS`: so many users are charged in turn, so often a second in all, each time on the next
//! replica; what crosses the network and what Redis computes, as Redis itself counts it.
//!
//! `hot-path PAIRS`: the time that a charge and a count take while Redis answers and while it is frozen, in pairs of a second
//! each.
#![expect(clippy::disallowed_methods, reason = "a measurement takes real time")]

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use vtc_actor::{RedisServers, ReplicaActor, ReplicaConfig, ReplicaHandle};
use vtc_core::{Router, TokenTracker, UserHandle, VtcConfig};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| -> Outcome<u64> {
        let word = words.get(place).ok_or("a number is missing: see the head of examples/replicas.rs")?;
        Ok(word.parse()?)
    };
    match words.first().map(String::as_str) {
        Some("cost") => cost(number(1)?, number(2)?, number(3)?, Duration::from_secs(number(4)?)),
        Some("hot-path") => hot_path(number(1)?),
        _ => Err("cost REPLICAS USERS CHARGES SECONDS, or hot-path PAIRS".into()),
    }
}

fn cost(replicas: u64, users: u64, charges: u64, span: Duration) -> Outcome<()> {
    let redis = Redis::start()?;
    let nodes: Vec<Node> = (0..replicas).map(|_| Node::start(&redis)).collect::<Outcome<_>>()?;
    let names: Vec<String> = (0..users).map(|user| format!("team-{}/user-{user:06}", user % 50)).collect();
    // Once round all users on all replicas, and a while to settle.
    for (turn, name) in names.iter().enumerate() {
        nodes[turn % nodes.len()].router.tracker().update_token_count(name, 1.0, 0.0)?;
    }
    let mut turn = 0;
    let mut charge_for = |span: Duration| -> Outcome<()> {
        let begun = Instant::now();
        let mut done = 0;
        while begun.elapsed() < span {
            let due = (begun.elapsed().as_secs_f64() * charges as f64) as u64;
            for _ in done..due {
                let user = &names[turn % names.len()];
                nodes[(turn / names.len() + turn) % nodes.len()]
                    .router
                    .tracker()
                    .update_token_count(user, 10.0, 20.0)?;
                turn += 1;
            }
            done = due.max(done);
            sleep(Duration::from_millis(2));
        }
        Ok(())
    };
    charge_for(Duration::from_secs(3))?;
    let (before, rows_before) = (redis.figures()?, rows(&nodes));
    charge_for(span)?;
    let (after, rows_after) = (redis.figures()?, rows(&nodes));
    let seconds = span.as_secs_f64();
    let rate = |what: usize| (after[what] - before[what]) / seconds;
    let each = |bytes: f64| bytes / replicas as f64 / 1000.0;
    println!(
        "{replicas} replicas, {users} users, {charges} charges/s: {:.0} rows/s; each replica sends {:.1} kB/s and receives \
         {:.1} kB/s; Redis: {:.2} % of a core, {:.3} % for each replica, {:.0} commands/s",
        (rows_after - rows_before) as f64 / seconds,
        each(rate(0)),
        each(rate(1)),
        100.0 * rate(2),
        100.0 * rate(2) / replicas as f64,
        rate(3),
    );
    for node in &nodes {
        if node.handle_failures() > 0 {
            return Err("an exchange failed: the figures are not to be trusted".into());
        }
    }
    Ok(())
}

fn rows(nodes: &[Node]) -> u64 {
    nodes.iter().map(|node| node.status.borrow().rows_out).sum()
}

fn hot_path(pairs: u64) -> Outcome<()> {
    let redis = Redis::start()?;
    let nodes = [Node::start(&redis)?, Node::start(&redis)?];
    let users: Vec<UserHandle> = (0..1000)
        .map(|user| nodes[0].router.tracker().user(&format!("user-{user}")))
        .collect::<Result<_, _>>()?;
    measure(&nodes, &users)?;
    let mut differences = [Vec::new(), Vec::new()];
    for pair in 0..pairs {
        // Which of the two comes first alternates.
        let frozen_first = pair % 2 == 1;
        let mut figures = [[0.0; 2]; 2];
        for frozen in [frozen_first, !frozen_first] {
            redis.signal(if frozen { "-STOP" } else { "-CONT" })?;
            sleep(Duration::from_millis(1500));
            figures[usize::from(frozen)] = measure(&nodes, &users)?;
        }
        redis.signal("-CONT")?;
        for (which, differences) in differences.iter_mut().enumerate() {
            differences.push(figures[1][which] / figures[0][which]);
        }
        println!(
            "pair {pair:2}: a charge and a count take {:.1} ns, p99 {:.1}; with Redis frozen {:.1} ns, p99 {:.1}",
            figures[0][0], figures[0][1], figures[1][0], figures[1][1]
        );
    }
    let [mut median, mut tail] = differences;
    median.sort_by(f64::total_cmp);
    tail.sort_by(f64::total_cmp);
    let middle = |sorted: &[f64]| sorted[sorted.len() / 2];
    println!(
        "frozen over not: median {:.3}, p99 {:.3} (the medians of {pairs} pairs)",
        middle(&median),
        middle(&tail)
    );
    Ok(())
}

/// The median and the 99th percentile of the nanoseconds that a charge and a count take, by batches of 64, over a second.
fn measure(nodes: &[Node; 2], users: &[UserHandle]) -> Outcome<[f64; 2]> {
    let begun = Instant::now();
    let mut batches = Vec::with_capacity(1 << 18);
    let mut turn = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        let started = Instant::now();
        for _ in 0..64 {
            let user = &users[turn % users.len()];
            user.charge(1.0, 2.0)?;
            std::hint::black_box(user.token_count());
            turn += 7;
        }
        batches.push(started.elapsed().as_nanos() as f64 / 64.0);
        // The other one has something to say, too.
        if turn % 640 == 0 {
            nodes[1].router.tracker().update_token_count("other", 1.0, 0.0)?;
        }
    }
    batches.sort_by(f64::total_cmp);
    Ok([batches[batches.len() / 2], batches[batches.len() * 99 / 100]])
}

/// A replica on a thread of its own.
struct Node {
    router: Arc<Router>,
    status: tokio::sync::watch::Receiver<vtc_actor::ReplicaStatus>,
    _stop: oneshot::Sender<()>,
}

impl Node {
    fn start(redis: &Redis) -> Outcome<Self> {
        let router = Arc::new(Router::new(VtcConfig::default())?);
        let servers = RedisServers::of_url(format!("redis://127.0.0.1:{}", redis.port));
        let replica = ReplicaActor::new(Arc::clone(&router), &servers, &ReplicaConfig::default())?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, status) = mpsc::channel();
        std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let handle = ReplicaHandle::start(replica);
                drop(ready.send(handle.watch()));
                drop(stopped.await);
            });
        });
        Ok(Self { router, status: status.recv()?, _stop: stop })
    }

    fn handle_failures(&self) -> u64 {
        self.status.borrow().failures
    }
}

/// An empty `redis-server`, which ends with this value.
struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    fn start() -> Outcome<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("cannot start redis-server ({error}): `apt-get install redis-server`")
            })?;
        let redis = Self { process, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            sleep(Duration::from_millis(10));
        }
        Ok(redis)
    }

    /// Bytes it has received and sent, seconds it has computed, and commands it has carried out.
    fn figures(&self) -> Outcome<[f64; 4]> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        let info: String = redis::cmd("INFO").arg("everything").query(&mut client.get_connection()?)?;
        let figure = |name: &str| -> f64 {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|figure| figure.trim().parse().ok()).unwrap_or(0.0)
        };
        let seconds = figure("used_cpu_sys") + figure("used_cpu_user");
        let bytes = ["total_net_input_bytes", "total_net_output_bytes"].map(figure);
        Ok([bytes[0], bytes[1], seconds, figure("total_commands_processed")])
    }

    fn signal(&self, signal: &str) -> Outcome<()> {
        Command::new("kill").args([signal, &self.process.id().to_string()]).status()?;
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
