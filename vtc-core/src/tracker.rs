//! Who has used how much.

mod account;
mod builder;
mod calendar;
mod census;
mod export;
mod guests;
mod leavers;
mod seat;
mod sliding_window;
mod unexported;
mod upkeep;

pub(crate) use self::account::Account;
pub use self::account::UserHandle;
pub use self::builder::TrackerBuilder;
pub use self::export::Charged;
pub use self::sliding_window::SlidingWindowTracker;
use crate::tokens::InvalidTokens;

/// Keeps what each user has been served, in weighted tokens.
pub trait TokenTracker: Send + Sync {
    /// The user's count over the window; 0 for one that is unknown, or has no name.
    fn token_count(&self, user: &str) -> f64;

    /// Charges `max(0, input) * input weight + max(0, output) * output weight` to the user, now.
    ///
    /// # Errors
    /// [`UpdateError`]; nothing was changed then.
    fn update_token_count(
        &self,
        user: &str,
        input_tokens: f64,
        output_tokens: f64,
    ) -> Result<(), UpdateError>;

    /// The smallest positive count of any user; the configured minimum while nobody has tokens.
    fn min_token_count(&self) -> f64;

    /// The largest count of any user; the configured maximum while nobody has tokens.
    fn max_token_count(&self) -> f64;
}

/// An update that was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// The user has no name: there is nobody to charge.
    #[error(transparent)]
    EmptyUser(#[from] EmptyUser),
    /// A number of tokens is no number.
    #[error(transparent)]
    Tokens(#[from] InvalidTokens),
}

/// The empty name names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user's name is empty: there is nobody to charge")]
pub struct EmptyUser;
