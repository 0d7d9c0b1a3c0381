//! The actor's benchmarks: this file only lists them. Each group has the name of its row in `BENCHMARKS.md`.

#[path = "../cpu_time.rs"]
mod cpu_time;
mod empty;
mod permit;
mod round_trip;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use self::cpu_time::CpuTime;

criterion_group! {
    name = actor;
    config = Criterion::default()
        .with_measurement(CpuTime)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .nresamples(10_000);
    targets = round_trip::in_one_thread, round_trip::across_threads, permit::acquire_and_settle
}
criterion_main!(actor);
