//! The simulator: its laws, a naive one that agrees with it, the published figures.

mod anchors;
mod laws;
mod measure;
mod naive;
