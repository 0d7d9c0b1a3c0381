//! What the one who keeps the pods is told, and by whom.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Report;
use super::load::PodLoad;
use crate::settings::{PodSetting, Settings, SettingsError};
use crate::upstream::Manners;

/// One thing that has happened. Pods are named, since they may be gone by the time it is read.
#[derive(Debug)]
pub(crate) enum News {
    /// A request failed on a pod.
    Failed { pod: Box<str>, is_away: bool },
    /// A pod's breaker has closed.
    Recovered { pod: Box<str> },
    /// A pod was asked, at this URL: what it says, or why it is not ready.
    Checked { pod: Box<str>, url: String, outcome: Result<Report, String> },
    /// A pod was asked for its metrics; nothing if it offers none that are known.
    Scraped { pod: Box<str>, url: String, load: Option<PodLoad> },
    /// The file of pods was read, there.
    File { path: PathBuf, text: io::Result<String> },
    /// A name was resolved.
    Resolved { name: String, port: u16, answer: io::Result<Vec<SocketAddr>> },
    /// There are new settings.
    Settings(Box<Following>, oneshot::Sender<Result<(), SettingsError>>),
    /// An admin wants something.
    Order(Order, oneshot::Sender<Result<(), OrderError>>),
}

/// The settings that are to be followed from now on.
#[derive(Debug)]
pub(crate) struct Following {
    pub(crate) settings: Settings,
    /// How pods are to be spoken to.
    pub(crate) manners: Arc<Manners>,
    /// What the file of pods says, if there is to be one.
    pub(crate) file: Option<io::Result<String>>,
}

/// What an admin can want.
#[derive(Clone, Debug)]
pub enum Order {
    /// That pod shall be there, also if one of its name is there already. Until the gateway ends.
    Put(PodSetting),
    /// The pod of that name, which was put, shall be there no more. What runs on it runs on.
    Remove(String),
    /// The pod of that name shall get no new requests. What runs on it runs on.
    Drain(String),
    /// It shall get requests again.
    Undrain(String),
}

/// Why an order is not followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OrderError {
    /// There is no such pod.
    #[error("there is no pod {0:?}")]
    NoSuchPod(String),
    /// The pod was not put by an admin: it would come back at once.
    #[error("the pod {name:?} comes from {source_name}: take it out there, or drain it")]
    Listed {
        /// The pod.
        name: String,
        /// Where it comes from.
        source_name: &'static str,
    },
    /// The pod is not one that could be used.
    #[error(transparent)]
    Setting(#[from] vtc_core::ConfigError),
    /// The gateway is ending.
    #[error("the gateway is ending")]
    Ending,
}
