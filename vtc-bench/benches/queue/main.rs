//! The fair queue's benchmarks: this file only lists them. Each group has the name of its row in `BENCHMARKS.md`.

mod crowd;

use criterion::{criterion_group, criterion_main};

criterion_group!(queue, crowd::push_and_pop, crowd::a_token);
criterion_main!(queue);
