//! How it is guessed what a request will cost.

use std::collections::BTreeMap;

use serde::Deserialize;
use vtc_core::{ConfigError, SimpleTokenEstimator};

use crate::estimate::{Encoding, Estimator, Estimators};

/// The table `[estimate]`: what counts for every model that says nothing else.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EstimateSetting {
    /// How the tokens of a text are counted. Default `bytes`.
    pub estimator: EstimatorSetting,
    /// For `tiktoken`: whose vocabulary. Default `cl100k_base`, on which those of most open models are built.
    pub encoding: Encoding,
    /// For `bytes`: how many bytes a token has. Default 4.
    pub bytes_per_token: f64,
    /// How long the answer is guessed to be. Default `ratio`. A queue learns by itself, whatever this says.
    pub output: OutputSetting,
    /// How many output tokens there are to an input token, where nothing has been learned. Default 1.5.
    pub output_ratio: f64,
    /// Input tokens that a request counts at least, and so one without a text: a file, or a path that the gateway
    /// does not know. Default 1.
    pub request_tokens: f64,
}

/// What is said of one model: the table `[models."NAME"]`. What is left out, `[estimate]` says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSetting {
    /// How the tokens of a text are counted.
    pub estimator: Option<EstimatorSetting>,
    /// For `tiktoken`: whose vocabulary.
    pub encoding: Option<Encoding>,
    /// For `bytes`: how many bytes a token has.
    pub bytes_per_token: Option<f64>,
    /// How many output tokens there are to an input token.
    pub output_ratio: Option<f64>,
    /// Input tokens that a request counts at least.
    pub request_tokens: Option<f64>,
}

/// How the tokens of a text are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EstimatorSetting {
    /// By its length.
    #[default]
    Bytes,
    /// By OpenAI's tokenizers. Their vocabularies are in the binary; what is configured is loaded at the start.
    Tiktoken,
}

/// How long an answer is guessed to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputSetting {
    /// By the length of the prompt.
    #[default]
    Ratio,
    /// By what its user was answered of late.
    Learned,
}

// === impl EstimateSetting ===

impl EstimateSetting {
    /// The estimators of all models.
    pub(super) fn estimators(
        &self,
        models: &BTreeMap<String, ModelSetting>,
    ) -> Result<Estimators, ConfigError> {
        let general = self.estimator("estimate", &ModelSetting::default())?;
        let of_model = |(name, setting): (&String, &ModelSetting)| {
            Ok((name.clone(), self.estimator(&format!("models.{name}"), setting)?))
        };
        let by_model = models.iter().map(of_model).collect::<Result<_, ConfigError>>()?;
        Ok(Estimators { general, by_model })
    }

    fn estimator(&self, table: &str, model: &ModelSetting) -> Result<Estimator, ConfigError> {
        let above_zero = |field: &str, number: f64| {
            let name = || format!("{table}.{field}");
            let fits = number.is_finite() && number > 0.0 && number <= 1e6;
            if fits { Ok(number) } else { Err(ConfigError::new(name(), number, "above 0, at most 1000000")) }
        };
        let by_bytes = SimpleTokenEstimator {
            characters_per_token: above_zero(
                "bytes_per_token",
                model.bytes_per_token.unwrap_or(self.bytes_per_token),
            )?,
            output_ratio: above_zero("output_ratio", model.output_ratio.unwrap_or(self.output_ratio))?,
        };
        let encoding = match model.estimator.unwrap_or(self.estimator) {
            EstimatorSetting::Bytes => None,
            EstimatorSetting::Tiktoken => Some(model.encoding.unwrap_or(self.encoding)),
        };
        let request_tokens =
            above_zero("request_tokens", model.request_tokens.unwrap_or(self.request_tokens))?;
        Ok(Estimator { by_bytes, encoding, request_tokens })
    }
}

impl Default for EstimateSetting {
    fn default() -> Self {
        let SimpleTokenEstimator { characters_per_token, output_ratio } = SimpleTokenEstimator::default();
        Self {
            estimator: EstimatorSetting::default(),
            encoding: Encoding::default(),
            bytes_per_token: characters_per_token,
            output: OutputSetting::default(),
            output_ratio,
            request_tokens: 1.0,
        }
    }
}
