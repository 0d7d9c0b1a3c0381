//! What a run came to.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::gap::Gap;
use super::setting::Setting;
use super::times::Times;
use super::windows::Tick;

/// What a run came to. Units and formulas: the [module's documentation](super).
///
/// Serialized flat, without the curves: `max_diff`, `avg_diff`, `diff_var`, `avg_diff_while_arriving`, `tokens_per_s`,
/// `length_s`, `requests`, `served`, `refused`, `input_tokens`, `output_tokens`, `jain_index`, `accumulated_gap`,
/// `accumulated_gap_at_s`, `gap_bound`, `first_token_s`, `latency_s`, `duration_s`, `warm_up_s`, `window_s`,
/// `input_weight`, `output_weight`, `batch_tokens`, `ticks` and `clients`.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// What it was measured with.
    pub setting: Setting,
    /// The largest diff of the ticks, in weighted tokens per second.
    pub max_diff: f64,
    /// The average diff of the ticks, in weighted tokens per second.
    pub avg_diff: f64,
    /// The population variance of the diffs, in squared weighted tokens per second.
    pub diff_var: f64,
    /// The average diff of those ticks whose window begins before the last request has come; 0 if there is none.
    pub avg_diff_while_arriving: f64,
    /// Input and output tokens of what was served per second of the run's length; not weighted.
    pub tokens_per_s: f64,
    /// How long the run was, in seconds: until the last request came or ended.
    pub length_s: f64,
    /// Requests that came.
    pub requests: u64,
    /// Those that were served.
    pub served: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Input tokens of those that were served.
    pub input_tokens: u64,
    /// Output tokens of those that were served.
    pub output_tokens: u64,
    /// Jain's index over clients of the service from the warm-up to `T`, divided by weight.
    pub jain: f64,
    /// How far the services drifted apart.
    pub gap: Gap,
    /// From arrival to first token, of all that was served.
    pub first_token: Times,
    /// From arrival to the last token, of all that was served.
    pub latency: Times,
    /// The diffs.
    pub ticks: Vec<Tick>,
    /// The clients that asked, in the order of their numbers.
    pub clients: Vec<ClientSummary>,
}

/// What a run came to for one client. Serialized without the curve; the times as `first_token_s` and `latency_s`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientSummary {
    /// Its name.
    pub client: String,
    /// Its weight.
    pub weight: f64,
    /// Requests that came.
    pub requests: u64,
    /// Those that were served.
    pub served: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Input tokens of those that were served.
    pub input_tokens: u64,
    /// Output tokens of those that were served.
    pub output_tokens: u64,
    /// Service of the whole run, in weighted tokens.
    pub service: f64,
    /// From arrival to first token.
    #[serde(rename = "first_token_s")]
    pub first_token: Times,
    /// From arrival to the last token.
    #[serde(rename = "latency_s")]
    pub latency: Times,
    /// Service up to 0, to the end of the first bin, of the second, …, up to `T`, in weighted tokens.
    #[serde(skip)]
    pub curve: Vec<f64>,
    /// Service before the warm-up was over.
    #[serde(skip)]
    pub(super) before: f64,
}

// === impl RunSummary ===

impl RunSummary {
    /// The client of that name.
    #[must_use]
    pub fn client(&self, name: &str) -> Option<&ClientSummary> {
        self.clients.iter().find(|client| client.client == name)
    }

    /// The clients with the most service first; equals in the order of their numbers.
    #[must_use]
    pub fn busiest(&self) -> Vec<&ClientSummary> {
        let mut clients: Vec<_> = self.clients.iter().collect();
        clients.sort_by(|a, b| b.service.total_cmp(&a.service));
        clients
    }

    /// `(seconds, service)` points of a client's curve.
    pub fn curve<'a>(&self, client: &'a ClientSummary) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        let bin = self.setting.bin;
        client.curve.iter().enumerate().map(move |(number, service)| (number as f64 * bin, *service))
    }
}

impl Serialize for RunSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("RunSummary", 25)?;
        fields.serialize_field("max_diff", &self.max_diff)?;
        fields.serialize_field("avg_diff", &self.avg_diff)?;
        fields.serialize_field("diff_var", &self.diff_var)?;
        fields.serialize_field("avg_diff_while_arriving", &self.avg_diff_while_arriving)?;
        fields.serialize_field("tokens_per_s", &self.tokens_per_s)?;
        fields.serialize_field("length_s", &self.length_s)?;
        fields.serialize_field("requests", &self.requests)?;
        fields.serialize_field("served", &self.served)?;
        fields.serialize_field("refused", &self.refused)?;
        fields.serialize_field("input_tokens", &self.input_tokens)?;
        fields.serialize_field("output_tokens", &self.output_tokens)?;
        fields.serialize_field("jain_index", &self.jain)?;
        fields.serialize_field("accumulated_gap", &self.gap.max)?;
        fields.serialize_field("accumulated_gap_at_s", &self.gap.at)?;
        fields.serialize_field("gap_bound", &self.gap.bound)?;
        fields.serialize_field("first_token_s", &self.first_token)?;
        fields.serialize_field("latency_s", &self.latency)?;
        fields.serialize_field("duration_s", &self.setting.duration)?;
        fields.serialize_field("warm_up_s", &self.setting.warm_up)?;
        fields.serialize_field("window_s", &self.setting.window)?;
        fields.serialize_field("input_weight", &self.setting.weights.input)?;
        fields.serialize_field("output_weight", &self.setting.weights.output)?;
        fields.serialize_field("batch_tokens", &self.setting.batch_tokens)?;
        fields.serialize_field("ticks", &self.ticks)?;
        fields.serialize_field("clients", &self.clients)?;
        fields.end()
    }
}
