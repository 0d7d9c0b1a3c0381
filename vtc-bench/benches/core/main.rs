//! The core's benchmarks: this file only lists them. Each group has the name of its row in `BENCHMARKS.md`.

mod charge;
mod contention;
#[path = "../cpu_time.rs"]
mod cpu_time;
mod extremes;
mod refresh;
mod registry;
mod route;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use self::cpu_time::CpuTime;

criterion_group! {
    name = core;
    config = Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .nresamples(10_000);
    targets = charge::through_a_handle,
        registry::of_1_000_users,
        registry::of_100_000_users,
        registry::of_1_000_000_users,
        route::over_8_pods_with_1_000_users,
        route::over_8_pods_with_100_000_users,
        route::over_512_and_over_8_000_pods,
        contention::two_threads_on_distinct_users,
        contention::one_hot_user_from_many_threads,
        extremes::reading,
        refresh::of_1_000_000_users
}
criterion_main!(core);
