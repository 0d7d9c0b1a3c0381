//! One fair queue over several replicas that share pods: who is served how much does not depend on where it asks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;
use vtc_actor::{
    Acquire, Capacity, DispatcherConfig, DispatcherHandle, PoolPod, RedisServers, ReplicaActor,
    ReplicaConfig, ReplicaHandle,
};
use vtc_core::queue::Weight;
use vtc_core::{Pod, Router, Usage};

use crate::node::{long_window, pause, quick};
use crate::proxy::{Mood, Proxy};
use crate::server::Server;

/// Requests that a user has waiting or running at a time: always more than its share of the places.
const EAGERNESS: usize = 40;
/// Places on the pods that all replicas share.
const PLACES: usize = 8;
/// How long a request runs.
const SERVICE: Duration = Duration::from_millis(20);

type User = (&'static str, u32);

/// A replica with a dispatcher, and users who never have enough.
struct Busy {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Busy {
    /// Each user asks that replica only. Whoever is served is told of.
    fn start(
        url: Option<String>,
        config: ReplicaConfig,
        users: Vec<User>,
        served: mpsc::Sender<&'static str>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let router = Arc::new(Router::new(long_window()).unwrap());
                let queues = DispatcherConfig::with_discipline("vtc-fair");
                let dispatcher = DispatcherHandle::start(Arc::clone(&router), queues).unwrap();
                let capacity = Capacity::of_requests(PLACES / 2);
                let pods = ["a", "b"].map(|name| PoolPod::new(Pod::new(name), capacity));
                dispatcher.set_pool("llama", pods).await.unwrap();
                let replica = url.map(|url| {
                    let replica = ReplicaActor::new(router, &RedisServers::of_url(url), &config).unwrap();
                    ReplicaHandle::start(replica.with_dispatcher(&dispatcher))
                });
                for (user, weight) in users {
                    for _ in 0..EAGERNESS {
                        actix::spawn(ask_again_and_again(dispatcher.clone(), user, weight, served.clone()));
                    }
                }
                drop(stopped.await);
                drop(replica);
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

async fn ask_again_and_again(
    dispatcher: DispatcherHandle,
    user: &'static str,
    weight: u32,
    served: mpsc::Sender<&'static str>,
) {
    let weight = Weight::new(f64::from(weight)).unwrap();
    loop {
        let request = Acquire::new("llama", user, 10, 20).weighing(weight);
        let Ok(Ok(permit)) = dispatcher.acquire(request).await else { continue };
        tokio::time::sleep(SERVICE).await;
        permit.settle(Usage::new(10, 20));
        if served.send(user).is_err() {
            return;
        }
    }
}

/// How often each user is served within that time, once all have been for a while.
fn served_within(span: Duration, served: &mpsc::Receiver<&'static str>) -> BTreeMap<&'static str, usize> {
    pause(Duration::from_secs(3));
    served.try_iter().for_each(drop);
    pause(span);
    let mut counts = BTreeMap::new();
    for user in served.try_iter() {
        *counts.entry(user).or_default() += 1;
    }
    counts
}

fn ratio(counts: &BTreeMap<&'static str, usize>) -> f64 {
    counts["heavy"] as f64 / counts["light"] as f64
}

/// How long shares are measured: `VTC_REPLICA_SECONDS`, or 15. Users who wait all the time may differ by what is served in
/// some exchanges, however long it takes; the longer, the less that is of the whole.
fn span() -> Duration {
    let seconds = std::env::var("VTC_REPLICA_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

const SKEWED: [&[User]; 2] = [&[("heavy", 4)], &[("light", 1)]];
const EVERYWHERE: [&[User]; 3] = [&[("heavy", 4), ("light", 1)]; 3];

fn busy(users: &[&[User]], urls: &[String]) -> (Vec<Busy>, mpsc::Receiver<&'static str>) {
    let (served, counts) = mpsc::channel();
    let config = ReplicaConfig { interval: Duration::from_millis(100), ..quick() };
    let start = |(replica, users): (usize, &&[User])| {
        Busy::start(urls.get(replica).cloned(), config.clone(), users.to_vec(), served.clone())
    };
    (users.iter().enumerate().map(start).collect(), counts)
}

/// The ratio of two users of weights 4 and 1, and how many places were used on average: as soon as the ratio is within
/// these bounds, or else the last of five times. One time may be spoiled by whatever else the machine does; a ratio that is
/// another one stays outside.
fn shares(served: &mpsc::Receiver<&'static str>, bounds: Range<f64>) -> (f64, f64) {
    let mut measured = (0.0, 0.0);
    for _ in 0..5 {
        let counts = served_within(span(), served);
        let places = counts.values().sum::<usize>() as f64 * SERVICE.as_secs_f64() / span().as_secs_f64();
        measured = (ratio(&counts), places);
        if bounds.contains(&measured.0) {
            break;
        }
    }
    measured
}

/// What weights of 4 and 1 should give.
const FAIR: Range<f64> = 3.6..4.4;

#[test]
fn users_who_each_ask_one_replica_only_get_their_shares_and_without_sharing_do_not() {
    let server = Server::start();
    let (without, _) = {
        let (_busy, served) = busy(&SKEWED, &[]);
        shares(&served, 0.9..1.1)
    };
    let (_busy, served) = busy(&SKEWED, &[server.url(), server.url()]);
    let (with, places) = shares(&served, FAIR);
    println!(
        "4:1, each at one of two replicas: {with:.2} shared, {without:.2} alone; {places:.1} places of {PLACES}"
    );
    assert!((0.9..1.1).contains(&without), "{without}: each has the pods as if they were its own");
    assert!(FAIR.contains(&with), "{with}");
    assert!(places < 1.3 * PLACES as f64 && places > 0.5 * PLACES as f64, "{places} places of {PLACES}");
}

#[test]
fn users_who_ask_everywhere_get_their_shares() {
    let server = Server::start();
    let (_busy, served) = busy(&EVERYWHERE, &[server.url(), server.url(), server.url()]);
    let (with, places) = shares(&served, FAIR);
    println!("4:1, both at three replicas: {with:.2} shared; {places:.1} places of {PLACES}");
    assert!(FAIR.contains(&with), "{with}");
}

#[test]
fn while_redis_is_away_everybody_is_served_and_afterwards_the_shares_are_back() {
    let server = Server::start();
    let proxies = [Proxy::before(server.port()), Proxy::before(server.port())];
    let (_busy, served) = busy(&SKEWED, &[proxies[0].url(), proxies[1].url()]);
    let (before, _) = shares(&served, FAIR);
    proxies.iter().for_each(|proxy| proxy.set(Mood::Cut));
    let away = served_within(Duration::from_secs(3), &served);
    proxies.iter().for_each(|proxy| proxy.set(Mood::Pass));
    // What one got too much meanwhile it waits for now.
    let (after, _) = shares(&served, FAIR);
    println!("4:1 over two replicas: {before:.2}, {away:?} without Redis, {after:.2} after it");
    assert!(FAIR.contains(&before) && FAIR.contains(&after), "{before} {after}");
    assert!(away.values().all(|served| *served > 100), "{away:?}");
}
