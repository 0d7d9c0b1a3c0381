//! `vtc-gateway top`: who is served, who waits and why, in a terminal.
//!
//! ```text
//! feed     the gateway's live feed and its last requests; comes back when the connection breaks   -> Input
//! model    what is known and how it is shown: inputs and keys change it, and nothing else does
//! view     a picture of the model: pure
//! screen   the terminal: hears keys, draws, and gives it back as it was, also after a panic
//! ```
//!
//! It reads what the dashboard reads, and costs the gateway the same: one look a second for all who watch.

mod feed;
mod frame;
mod model;
mod screen;
mod sort;
#[cfg(test)]
mod tests;
mod view;

pub use self::screen::run;
