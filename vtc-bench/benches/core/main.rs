//! The core's benchmarks: this file only lists them. Each group has the name of its row in `BENCHMARKS.md`.

mod charge;
mod extremes;
mod route;

use criterion::{criterion_group, criterion_main};

criterion_group!(core, charge::through_a_handle, charge::by_name, route::over_8_pods, extremes::reading);
criterion_main!(core);
