//! Dispatchers of several replicas that share pods: each has a router and pods of its own by the same names, and news go
//! from one to the other by hand.

use std::sync::Arc;

use vtc_actor::dispatcher::{Export, Heard, Import, News};
use vtc_actor::{Acquire, Capacity, Permit, PoolPod};
use vtc_core::Pod;
use vtc_core::queue::Weight;

use super::{Asking, POOL, Ticking, World, exact, look, of, settle_down, used};

/// Replicas in one exchange.
struct Replicas {
    worlds: Vec<World>,
    /// Whether the next news are to be whole.
    whole: bool,
}

fn name(replica: usize) -> Arc<str> {
    format!("replica-{replica}").into()
}

impl Replicas {
    async fn new(replicas: usize, pods: usize, capacity: Capacity) -> Self {
        let mut worlds = Vec::new();
        for _ in 0..replicas {
            worlds.push(World::new(exact("vtc-fair"), pods, capacity).await);
        }
        let mut replicas = Self { worlds, whole: true };
        replicas.exchange().await;
        replicas.exchange().await;
        replicas
    }

    async fn export(&self, replica: usize, whole: bool) -> News {
        let export = Export { replica: name(replica), whole };
        self.worlds[replica].handle.addr().send(export).await.unwrap()
    }

    async fn import(&self, replica: usize, heard: Vec<(Arc<str>, Heard)>) -> Vec<Arc<str>> {
        let missing = self.worlds[replica].handle.addr().send(Import(heard)).await.unwrap();
        settle_down().await;
        missing
    }

    /// Everybody tells everybody. Who misses something is told everything the next time.
    async fn exchange(&mut self) {
        let mut news = Vec::new();
        for replica in 0..self.worlds.len() {
            news.push((name(replica), Heard::News(self.export(replica, self.whole).await)));
        }
        self.whole = false;
        for replica in 0..self.worlds.len() {
            let others = news.iter().filter(|(from, _)| *from != name(replica));
            let missing = self.import(replica, others.cloned().collect()).await;
            self.whole |= !missing.is_empty();
        }
    }

    /// What each replica knows of all requests that run on the first pod.
    async fn running(&self) -> Vec<usize> {
        let mut running = Vec::new();
        for world in &self.worlds {
            let pod = &world.snapshot().await.pods[0];
            assert_eq!(world.pods[0].in_flight(), (pod.running + pod.running_elsewhere) as u64);
            running.push(pod.running + pod.running_elsewhere);
        }
        running
    }
}

/// Takes the permits that are there.
fn permits(asking: &mut Vec<Asking>) -> Vec<Permit<Ticking>> {
    let mut permits = Vec::new();
    asking.retain_mut(|asking| match look(asking) {
        Some(outcome) => {
            permits.push(outcome.unwrap().unwrap());
            false
        }
        None => true,
    });
    permits
}

#[actix::test]
async fn a_pod_that_others_fill_is_full_and_policies_see_it() {
    let mut replicas = Replicas::new(2, 2, Capacity::of_requests(2)).await;
    let fill = of("alice").by("least-request");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(replicas.worlds[0].get(fill.clone()).await);
    }
    replicas.exchange().await;
    // Three of four places are taken: the one that is left is on the pod that has one.
    let there = replicas.worlds[1].get(of("bob").by("least-request")).await;
    assert_eq!(there.pod().in_flight(), 2);
    let mut waits = replicas.worlds[1].ask(of("bob")).await;
    assert!(look(&mut waits).is_none());
    replicas.exchange().await;
    assert_eq!(replicas.running().await[0], 2);
    held.into_iter().for_each(|permit| permit.settle(used()));
    settle_down().await;
    replicas.exchange().await;
    drop(look(&mut waits).unwrap().unwrap().unwrap());
    drop(there);
    settle_down().await;
    replicas.exchange().await;
    assert_eq!(replicas.running().await, [0, 0]);
}

#[actix::test]
async fn what_a_replica_ran_goes_with_it_and_comes_back_with_whole_news_only() {
    let mut replicas = Replicas::new(2, 1, Capacity::of_requests(1)).await;
    let held = replicas.worlds[0].get(of("alice")).await;
    replicas.exchange().await;
    let mut waits = replicas.worlds[1].ask(of("bob")).await;
    assert!(look(&mut waits).is_none());
    assert!(replicas.import(1, vec![(name(0), Heard::Gone)]).await.is_empty());
    let got = look(&mut waits).unwrap().unwrap().unwrap();
    assert_eq!(got.pod().in_flight(), 1);
    // It is there after all. What it says has no beginning.
    let news = replicas.export(0, false).await;
    assert_eq!(replicas.import(1, vec![(name(0), Heard::News(news))]).await, [name(0)]);
    assert_eq!(got.pod().in_flight(), 1);
    let news = replicas.export(0, true).await;
    assert!(replicas.import(1, vec![(name(0), Heard::News(news))]).await.is_empty());
    assert_eq!(got.pod().in_flight(), 2);
    got.settle(used());
    held.settle(used());
}

#[actix::test]
async fn a_pool_that_is_new_here_is_read_from_everybody() {
    let capacity = Capacity::of_requests(1);
    let mut replicas = Replicas::new(2, 1, capacity).await;
    let pods = || [PoolPod::new(Pod::new("only"), capacity)];
    replicas.worlds[0].handle.set_pool("late", pods()).await.unwrap();
    let request = |user| Acquire::new("late", user, 10, 10);
    let held = replicas.worlds[0].get(request("alice")).await;
    for _ in 0..2 {
        replicas.exchange().await;
    }
    replicas.worlds[1].handle.set_pool("late", pods()).await.unwrap();
    for _ in 0..3 {
        replicas.exchange().await;
    }
    let known = |world: &World| {
        let handle = world.handle.clone();
        async move { handle.queues(10).await.unwrap().pools.pop().unwrap().users }
    };
    let [here, there] = [known(&replicas.worlds[0]).await, known(&replicas.worlds[1]).await];
    assert_eq!((here.len(), &*here[0].user, here[0].counter), (1, "alice", there[0].counter));
    assert!(here[0].counter.as_f64() > 0.0);
    held.settle(used());
    // Forgotten at one, it is no longer anybody's there; and the other goes on.
    replicas.worlds[0].handle.forget_pool("late").await.unwrap();
    replicas.exchange().await;
    assert_eq!(replicas.worlds[1].handle.queues(0).await.unwrap().pools.len(), 2);
    replicas.worlds[1].get(request("bob")).await.settle(used());
}

/// Serves those who always ask for more, each at one replica; says how much more of the first went than of the second.
async fn ratio(is_shared: bool) -> f64 {
    const PLACES: usize = 10;
    let mut replicas = Replicas::new(2, 1, Capacity::of_requests(PLACES)).await;
    let users = ["four", "one"];
    let request = |replica: usize| {
        let weight = Weight::new([4.0, 1.0][replica]).unwrap();
        of(users[replica]).weighing(weight)
    };
    let mut asking: [Vec<Asking>; 2] = Default::default();
    let mut running: [Vec<Permit<Ticking>>; 2] = Default::default();
    let mut served = [0usize; 2];
    for step in 0..2000usize {
        for replica in 0..2 {
            while asking[replica].len() < 2 * PLACES {
                let world = &replicas.worlds[replica];
                asking[replica].push(world.send(request(replica)));
            }
            settle_down().await;
            running[replica].extend(permits(&mut asking[replica]));
            // Each step one of those that run ends, on each full pod.
            if !running[replica].is_empty() && (step * 7 + replica) % 3 > 0 {
                let at = step % running[replica].len();
                running[replica].swap_remove(at).settle(used());
                served[replica] += usize::from(step >= 200);
            }
            settle_down().await;
        }
        if is_shared && step % 3 == 0 {
            replicas.exchange().await;
        }
    }
    served[0] as f64 / served[1] as f64
}

#[actix::test]
async fn weights_hold_over_replicas_and_without_an_exchange_they_do_not() {
    let shared = ratio(true).await;
    assert!((3.6..4.4).contains(&shared), "{shared}");
    let alone = ratio(false).await;
    assert!((0.9..1.1).contains(&alone), "{alone}");
}

#[actix::test]
async fn room_that_is_left_to_a_replica_which_does_not_take_it_is_taken() {
    let mut replicas = Replicas::new(2, 1, Capacity::of_requests(1)).await;
    let held = replicas.worlds[0].get(of("ahead")).await;
    replicas.exchange().await;
    let mut behind = replicas.worlds[1].ask(of("behind")).await;
    replicas.exchange().await;
    held.settle(used());
    for _ in 0..20 {
        settle_down().await;
        // Whoever is ahead comes again, and the one behind is not heard any more.
        let news = replicas.export(0, false).await;
        assert_eq!(news.pools.len(), news.pools.iter().filter(|pool| &*pool.pool == POOL).count());
        replicas.import(0, Vec::new()).await;
    }
    let mut ahead = replicas.worlds[0].ask(of("ahead")).await;
    let mut exchanges = 0;
    let got = loop {
        if let Some(outcome) = look(&mut ahead) {
            break outcome.unwrap().unwrap();
        }
        exchanges += 1;
        assert!(exchanges <= 5, "room was left for {exchanges} exchanges");
        replicas.export(0, false).await;
        replicas.import(0, Vec::new()).await;
    };
    assert!(exchanges >= 1, "room was not left");
    drop(got);
    assert!(look(&mut behind).is_none());
}
