//! A permit, from asking to settling, through the dispatcher: the request's message, its answer, the ending's message.
//!
//! All in one thread. An app that has the dispatcher on another thread pays two wake-ups more, as every message does.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::sync::Arc;
use std::time::Duration;

use actix::{System, SystemRunner};
use criterion::{BenchmarkGroup, Criterion};
use vtc_actor::{Acquire, Capacity, DispatcherConfig, DispatcherHandle, Permit, PoolPod};
use vtc_core::{Pod, Router, Usage, VtcConfig};

use crate::cpu_time::{self, CpuTime};

/// Requests that run, or wait, beside the one that is measured.
const CROWD: usize = 1000;

/// "acquire and settle through the dispatcher, one thread".
pub fn acquire_and_settle(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("acquire and settle through the dispatcher, one thread");
    idle(&mut group, "an idle fleet", Duration::from_millis(1), 0);
    idle(&mut group, "1,000 others run", Duration::from_millis(1), CROWD);
    idle(&mut group, "1,000 others run, each looked at each time", Duration::ZERO, CROWD);
    full(&mut group);
    group.finish();
}

/// Nobody waits: one after the other.
fn idle(group: &mut BenchmarkGroup<'_, CpuTime>, what: &str, meter_age: Duration, others: usize) {
    let config = DispatcherConfig { meter_age, ..DispatcherConfig::default() };
    let (system, handle) = dispatcher(config, 8, Capacity::default());
    let others = system.block_on(async {
        let mut permits = Vec::new();
        for i in 0..others {
            permits.push(permit(&handle, &format!("user-{i}").into()).await);
        }
        permits
    });
    let user = "alice".into();
    group.bench_function(what, |bencher| {
        bencher.iter_custom(|iters| {
            system.block_on(async {
                let start = cpu_time::now();
                for _ in 0..iters {
                    permit(&handle, &user).await.settle(Usage::new(10, 20));
                }
                cpu_time::now().saturating_sub(start)
            })
        });
    });
    drop(others);
}

/// A thousand users who ask again as soon as they were served, and one place.
fn full(group: &mut BenchmarkGroup<'_, CpuTime>) {
    let (system, handle) = dispatcher(DispatcherConfig::default(), 1, Capacity::of_requests(1));
    let users: Vec<Arc<str>> = (0..CROWD).map(|i| format!("user-{i}").into()).collect();
    group.bench_function("1,000 others wait", |bencher| {
        bencher.iter_custom(|iters| {
            let rounds = iters.div_ceil(CROWD as u64);
            let elapsed = system.block_on(async {
                let start = cpu_time::now();
                let askers: Vec<_> = users
                    .iter()
                    .map(|user| {
                        let (handle, user) = (handle.clone(), Arc::clone(user));
                        actix::spawn(async move {
                            for _ in 0..rounds {
                                permit(&handle, &user).await.settle(Usage::new(10, 20));
                            }
                        })
                    })
                    .collect();
                for asker in askers {
                    asker.await.expect("no panic");
                }
                cpu_time::now().saturating_sub(start)
            });
            elapsed.mul_f64(iters as f64 / (rounds * CROWD as u64) as f64)
        });
    });
}

async fn permit(handle: &DispatcherHandle, user: &Arc<str>) -> Permit {
    let request = Acquire::new(POOL.with(Arc::clone), Arc::clone(user), 10, 20);
    handle.acquire(request).await.expect("an answer").expect("a permit")
}

thread_local! {
    /// A name that is not copied, as in an app that keeps its pools.
    static POOL: Arc<str> = "model".into();
}

fn dispatcher(config: DispatcherConfig, pods: usize, capacity: Capacity) -> (SystemRunner, DispatcherHandle) {
    let system = System::new();
    let handle = system.block_on(async {
        let router = Router::new(VtcConfig::default()).expect("the default is allowed");
        let handle = DispatcherHandle::start(Arc::new(router), config).expect("it is allowed");
        let pods = (0..pods).map(|i| PoolPod::new(Pod::new(&format!("pod-{i}")), capacity));
        handle.set_pool("model", pods).await.expect("an answer");
        handle
    });
    (system, handle)
}
