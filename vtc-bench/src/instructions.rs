//! How many instructions the hot path takes, held against a baseline.
//!
//! Times differ from machine to machine and from run to run; instructions hardly do, so a regression of a few per cent
//! shows. Each row does one operation over and over, in a process of its own under valgrind's callgrind, once `N` times
//! and once `2 N` times: the difference, divided by `N`, is what the operation takes, and the set-up cancels out.
//!
//! What is left of chance is the hasher's seed, which decides where names collide: six runs one after the other differed
//! by less than 0.5 % in each row. The window and the staleness of the extremes are hours, so that no bucket begins and nobody refreshes
//! the extremes during a run, however slow the machine. The clock is the real, coarse one. Under valgrind it is read
//! by a system call, of which no instruction is counted; natively the page that the kernel shares adds some.
//!
//! What a count does not say: how long an instruction takes. A cache miss and an atomic read-modify-write count one.

mod baseline;
mod callgrind;
mod row;

pub use self::baseline::{Baseline, Comparison};
pub use self::callgrind::measure;
pub use self::row::Row;
