//! What is said of models by name: other names for them, and how their tokens are guessed.

use std::collections::BTreeMap;

use serde::Deserialize;
use vtc_core::ConfigError;

use super::estimate::{EstimateSetting, ModelSetting};

/// The table `[models]`, as it is written: `aliases`, and a table for each model that something is said of. A model
/// that is itself called `aliases` can have no such table.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ModelsSetting {
    /// Other names for models: what clients ask for, and which model that is.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// What is said of single models, by the names that pods give them.
    #[serde(flatten)]
    pub by_name: BTreeMap<String, ModelSetting>,
}

/// Other names for models, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(BTreeMap<String, String>);

// === impl ModelsSetting ===

impl ModelsSetting {
    pub(super) fn read(
        self,
        general: &EstimateSetting,
    ) -> Result<(Aliases, crate::estimate::Estimators), ConfigError> {
        let estimators = general.estimators(&self.by_name)?;
        for (alias, model) in &self.aliases {
            let field = || format!("models.aliases.{alias}");
            if alias.is_empty() || model.is_empty() {
                return Err(ConfigError::new(field(), model, "names that are not empty"));
            }
            if self.aliases.contains_key(model) {
                return Err(ConfigError::new(field(), model, "the name of a model, not another alias"));
            }
        }
        Ok((Aliases(self.aliases), estimators))
    }
}

// === impl Aliases ===

impl Aliases {
    /// The model that goes by this name; `None` if the name is no alias.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Every alias and its model, ordered by alias.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(alias, model)| (alias.as_str(), model.as_str()))
    }
}
