//! An OpenAI-compatible gateway that shares pods of large language models fairly among users.
//!
//! It stands between clients and servers such as vLLM, SGLang or llama.cpp. Each request passes these rooms once:
//!
//! ```text
//! identity   who is it            a tenant's key, a header from a trusted network, an address, or nobody
//! request    what does it want    model, prompt, stream or not: as the description of its endpoint says
//! estimate   what will it cost    prompt -> input tokens; learned or guessed, and capped -> output tokens
//! quota      may it now           requests and tokens per minute, requests in flight
//! admission  when does it go      at once, or by the fair queue (vtc-actor) when a pod has room; the result is a pass
//! proxy      the way itself       pod -> reply; another pod if the first fails
//! stream     count as it flows    events pass at once, usage is read on the way; sound and files pass as they are
//! settlement what did it cost     the usage that the pod reported ends the pass
//! ```
//!
//! # What it does not do
//!
//! Unless it is told to queue, it spreads users over pods and knows what each was served, but a request waits in its
//! pod when all are busy. It speaks HTTP/1.1 only, on both sides. Without
//! `[tls]` the keys of clients are safe only where nobody listens.
//!
//! # Rooms
//!
//! [`settings`] and [`cli`] say what it is told; [`outline`] tells what comes of it; [`configuration`] is what of it can change,
//! and [`reload`] changes it; [`server`] puts it together, and `routes` says which path leads where; [`gateway`] is what all workers share;
//! [`tenant`] is what each account may and [`admin`] who may look in; [`fleet`] knows the pods; `upstream` speaks to
//! them; [`explain`], [`status`] and [`metrics`] tell about it; [`record`] remembers what became of
//! requests, [`live`] tells what goes on, `page` shows it;
//! [`whatif`] replays the last minutes with another rule; [`demo`] has simulated pods and traffic. [`request`], [`sse`], [`usage`], [`view`] and [`dialect`] read and edit bytes and
//! know nothing of HTTP.
#![forbid(unsafe_code)]

pub mod admin;
pub mod admission;
mod ask;
mod body;
pub mod cli;
pub mod configuration;
mod connections;
pub mod demo;
pub mod dialect;
pub mod ending;
pub mod error;
pub mod estimate;
pub mod explain;
pub mod fleet;
pub mod gateway;
mod head;
pub mod headers;
pub mod identity;
mod journal;
pub mod live;
mod lock;
pub mod logging;
pub mod metrics;
#[cfg(test)]
mod mutations;
pub mod outline;
mod page;
mod pass;
mod passed;
mod proxy;
pub mod quota;
pub mod record;
pub mod reload;
pub mod request;
mod routes;
pub mod server;
pub mod settings;
mod settlement;
mod splice;
pub mod sse;
pub mod status;
mod stream;
pub mod tenant;
mod tls;
pub mod top;
mod trace;
mod upstream;
pub mod usage;
pub mod view;
pub mod whatif;
