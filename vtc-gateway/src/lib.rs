//! An OpenAI-compatible gateway that shares pods of large language models fairly among users.
//!
//! It stands between clients and servers such as vLLM, SGLang or llama.cpp. Each request passes these rooms once:
//!
//! ```text
//! identity   who is it            the header `user`
//! request    what does it want    model, prompt, stream or not: as the description of its endpoint says
//! estimate   what will it cost    prompt -> input tokens; learned or guessed, and capped -> output tokens
//! admission  when does it go      at once, or by the fair queue (vtc-actor) when a pod has room; the result is a pass
//! proxy      the way itself       pod -> reply; another pod if the first fails
//! stream     count as it flows    events pass at once, usage is read on the way; sound and files pass as they are
//! settlement what did it cost     the usage that the pod reported ends the pass
//! ```
//!
//! # What it does not do
//!
//! Unless it is told to queue, it spreads users over pods and knows what each was served, but a request waits in its
//! pod when all are busy. It knows users by a header that it trusts, so it belongs behind something that sets that
//! header. It speaks HTTP/1.1, to clients without TLS.
//!
//! # Rooms
//!
//! [`settings`] and [`cli`] say what it is told; [`server`] puts it together; [`gateway`] is what all workers share;
//! [`fleet`] knows the pods; `upstream` speaks to them; [`explain`], [`status`] and [`metrics`] tell about it; [`demo`] has
//! simulated pods and traffic. [`request`], [`sse`], [`usage`], [`view`] and [`dialect`] read and edit bytes and
//! know nothing of HTTP.
#![forbid(unsafe_code)]

pub mod admission;
mod body;
pub mod cli;
pub mod demo;
pub mod dialect;
pub mod error;
pub mod estimate;
pub mod explain;
pub mod fleet;
pub mod gateway;
pub mod headers;
pub mod identity;
mod lock;
pub mod metrics;
#[cfg(test)]
mod mutations;
mod pass;
mod passed;
mod proxy;
pub mod request;
pub mod server;
pub mod settings;
mod settlement;
mod splice;
pub mod sse;
pub mod status;
mod stream;
mod upstream;
pub mod usage;
pub mod view;
