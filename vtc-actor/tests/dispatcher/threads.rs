//! Handles and permits on other threads than the dispatcher's, in real time.

use std::sync::Arc;

use actix::Arbiter;
use tokio::sync::oneshot;
use vtc_actor::{Acquire, Capacity, DispatcherConfig, DispatcherHandle, PoolPod};
use vtc_core::{Pod, Router, Usage, VtcConfig};

#[actix::test]
async fn permits_go_to_all_threads_and_come_back() {
    const EACH: usize = 500;
    let router = Arc::new(Router::new(VtcConfig::default()).unwrap());
    let own = Arbiter::new();
    let handle =
        DispatcherHandle::start_in(&own.handle(), Arc::clone(&router), DispatcherConfig::default()).unwrap();
    let pod = Pod::new("pod-0");
    handle.set_pool("model", [PoolPod::new(Arc::clone(&pod), Capacity::of_requests(2))]).await.unwrap();
    let mut done = Vec::new();
    let clients: Vec<_> = (0..2).map(|_| Arbiter::new()).collect();
    for (number, client) in clients.iter().enumerate() {
        for task in 0..4 {
            let (handle, pod) = (handle.clone(), Arc::clone(&pod));
            let (sender, receiver) = oneshot::channel();
            done.push(receiver);
            client.spawn(async move {
                for i in 0..EACH {
                    let request = Acquire::new("model", format!("user-{number}"), 5, 5);
                    let permit = handle.acquire(request).await.unwrap().unwrap();
                    assert!(pod.in_flight() <= 2);
                    permit.progress(5, 3);
                    match (i + task) % 3 {
                        0 => permit.settle(Usage::new(5, 5)),
                        1 => permit.close(),
                        _ => drop(permit),
                    }
                }
                sender.send(()).unwrap();
            });
        }
    }
    for receiver in done {
        receiver.await.unwrap();
    }
    let snapshot = handle.queues(10).await.unwrap();
    let pool = &snapshot.pools[0];
    assert_eq!(pool.outcomes.dispatched, 8 * EACH as u64);
    super::assert_balance(pool);
    assert_eq!((pool.waiting, pool.running, pool.present_users, pod.in_flight()), (0, 0, 0, 0));
    for arbiter in clients.into_iter().chain([own]) {
        arbiter.stop();
        arbiter.join().unwrap();
    }
}
