//! What a single setting may be, and what is said of one that it may not be.

/// A setting that is not allowed: which one, what it was and what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {value:?} is not allowed; give {allowed}")]
pub struct ConfigError {
    /// The field, or the environment variable.
    pub field: String,
    /// What was given.
    pub value: String,
    /// What is allowed, as words that follow "give".
    pub allowed: String,
}

// === impl ConfigError ===

impl ConfigError {
    /// `allowed` completes the sentence "give …".
    pub fn new(field: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self { field: field.into(), value: value.to_string(), allowed: allowed.into() }
    }
}

/// Checks a weight or an amount.
pub(crate) fn not_negative(field: &str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(ConfigError::new(field, value, "a finite number that is not negative"))
    }
}

/// Checks what is divided by.
pub(crate) fn positive(field: &str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(ConfigError::new(field, value, "a finite number above 0"))
    }
}
