//! What pods can do, and how long it takes them: built in, or from a file.
//!
//! A file names the kind and whatever differs from that kind's defaults:
//!
//! ```
//! use vtc_sim::simulator::Profile;
//!
//! let profile: Profile = Profile::from_toml(r#"
//!     kind = "reserving"    # or "paged"
//!     pool_tokens = 80000   # eight times the memory
//!     decode_ms = 14.8      # twice as fast
//! "#)?;
//! assert_eq!(profile.pool_tokens(), 80_000);
//! assert!(Profile::from_toml("kind = 'reserving'\npool = 1").is_err(), "no such field");
//! # Ok::<(), vtc_sim::simulator::ProfileError>(())
//! ```

mod paged;
mod reserving;

use serde::{Deserialize, Serialize};

pub use self::paged::PagedProfile;
pub use self::reserving::ReservingProfile;

/// A kind of pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Profile {
    /// One that reserves memory for whole answers, whose length it knows.
    Reserving(ReservingProfile),
    /// One that gives out memory in pages as answers grow.
    Paged(PagedProfile),
}

/// No profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// None is built in under that name.
    #[error("no pod profile is called {0:?}; there are {names}, and files that end in .toml", names = NAMES.join(", "))]
    Unknown(String),
    /// The file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// Why not.
        error: std::io::Error,
    },
    /// What it says is no profile.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A field has a value that makes no pod.
    #[error("{field}: {value} is not allowed; give {allowed}")]
    Value {
        /// The field.
        field: &'static str,
        /// What it was.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
}

/// The names of the built-in profiles: the measured one, and one that works as vLLM does.
pub const NAMES: [&str; 2] = ["a10g", "vllm"];

// === impl Profile ===

impl Profile {
    /// The built-in profile of that name, or that of a file whose name ends in `.toml`.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn load(name: &str) -> Result<Self, ProfileError> {
        match name {
            "a10g" => Ok(Self::default()),
            "vllm" => Ok(Self::Paged(PagedProfile::default())),
            path if path.ends_with(".toml") => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| ProfileError::File { path: path.to_owned(), error })?;
                Self::from_toml(&text)
            }
            _ => Err(ProfileError::Unknown(name.to_owned())),
        }
    }

    /// A profile from a file's text.
    ///
    /// # Errors
    /// [`ProfileError`]: an unknown field, or a value that makes no pod.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        profile.check()?;
        Ok(profile)
    }

    /// Tokens that one pod has room for.
    #[must_use]
    pub const fn pool_tokens(&self) -> u64 {
        match self {
            Self::Reserving(profile) => profile.pool_tokens,
            Self::Paged(profile) => profile.pool_tokens,
        }
    }

    /// Requests that one pod runs at most.
    #[must_use]
    pub const fn max_running(&self) -> usize {
        match self {
            Self::Reserving(profile) => profile.max_running,
            Self::Paged(profile) => profile.max_running,
        }
    }

    /// One engine that is so many of these together: their memory is one, and what each does in a step, it does in one
    /// step of the same length.
    #[must_use]
    pub fn pooled(&self, pods: usize) -> Self {
        match self {
            Self::Reserving(profile) => Self::Reserving(profile.pooled(pods)),
            Self::Paged(profile) => Self::Paged(profile.pooled(pods)),
        }
    }

    fn check(&self) -> Result<(), ProfileError> {
        let (times, counts): (Vec<_>, Vec<_>) = match self {
            Self::Reserving(p) => (
                vec![
                    ("prefill_ms", p.prefill_ms),
                    ("prefill_per_token_ms", p.prefill_per_token_ms),
                    ("decode_ms", p.decode_ms),
                    ("decode_per_request_ms", p.decode_per_request_ms),
                    ("decode_per_context_token_us", p.decode_per_context_token_us),
                    ("overhead_ms", p.overhead_ms),
                ],
                vec![
                    ("pool_tokens", p.pool_tokens),
                    ("max_running", p.max_running as u64),
                    ("max_prefill_tokens", p.max_prefill_tokens),
                ],
            ),
            Self::Paged(p) => (
                vec![
                    ("step_ms", p.step_ms),
                    ("prefill_per_token_ms", p.prefill_per_token_ms),
                    ("decode_per_request_ms", p.decode_per_request_ms),
                    ("decode_per_context_token_us", p.decode_per_context_token_us),
                ],
                vec![
                    ("pool_tokens", p.pool_tokens),
                    ("page_tokens", p.page_tokens),
                    ("max_running", p.max_running as u64),
                    ("max_step_tokens", p.max_step_tokens),
                ],
            ),
        };
        let allowed = "a number from 0 to 1,000,000";
        for (field, value) in times {
            if !(0.0..=1e6).contains(&value) {
                return Err(ProfileError::Value { field, value, allowed });
            }
        }
        for (field, value) in counts {
            if !(1..=1_000_000_000_000).contains(&value) {
                let (value, allowed) = (value as f64, "a whole number from 1 to 10^12");
                return Err(ProfileError::Value { field, value, allowed });
            }
        }
        match self {
            Self::Paged(p) if p.prefix_tokens > 0 && !p.prefix_tokens.is_multiple_of(p.page_tokens) => {
                let (field, value) = ("prefix_tokens", p.prefix_tokens as f64);
                Err(ProfileError::Value {
                    field,
                    value,
                    allowed: "a multiple of page_tokens, or 0 for no cache",
                })
            }
            _ => Ok(()),
        }
    }
}

impl Default for Profile {
    /// The measured A10G.
    fn default() -> Self {
        Self::Reserving(ReservingProfile::default())
    }
}

/// Milliseconds as whole nanoseconds.
pub(super) fn millis(millis: f64) -> u64 {
    (millis * 1e6).round() as u64
}

/// Microseconds as whole nanoseconds.
pub(super) fn micros(micros: f64) -> u64 {
    (micros * 1e3).round() as u64
}
