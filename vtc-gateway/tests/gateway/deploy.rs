//! What `deploy/` says of metrics is so: names and labels that the gateway exports.

use std::collections::{BTreeMap, BTreeSet};

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;

use crate::common::{Gateway, ask_chat, fast_pod, soon};

const ALERTS: &str = include_str!("../../deploy/alerts.yml");
const TRIED: &str = include_str!("../../deploy/alerts_test.yml");
const DASHBOARD: &str = include_str!("../../deploy/grafana.json");

/// What Prometheus itself adds to every sample.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Every metric that is exported, and the labels that it has.
fn exported(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("vtc_")) {
        let (name, rest) = line.split_at(line.find(|letter| !is_of_name(letter)).unwrap());
        all.entry(name).or_default().extend(labels(rest));
    }
    all
}

/// The names of the labels in braces, if `text` begins with them.
fn labels(text: &str) -> Vec<&str> {
    let Some(inside) = text.strip_prefix('{').and_then(|text| text.split_once('}')) else {
        return Vec::new();
    };
    let name = |pair: &'_ str| pair.find(|letter| !is_of_name(letter)).unwrap_or(pair.len());
    inside.0.split(',').map(|pair| &pair[..name(pair)]).filter(|name| !name.is_empty()).collect()
}

/// Every metric that an expression or a sentence names, with the labels in braces behind it.
fn named(text: &str) -> Vec<(&str, Vec<&str>)> {
    let starts = text.match_indices("vtc_").map(|(at, _)| at);
    let starts = starts.filter(|at| !text[..*at].ends_with(is_of_name));
    let named = starts.map(|at| {
        let rest = &text[at..];
        let (name, rest) = rest.split_at(rest.find(|letter| !is_of_name(letter)).unwrap_or(rest.len()));
        (name, labels(rest))
    });
    named.collect()
}

/// The labels that an expression groups or joins by.
fn grouped(text: &str) -> impl Iterator<Item = &str> {
    let lists = ["by (", "on (", "without ("].into_iter().flat_map(|word| text.split(word).skip(1));
    lists.filter_map(|rest| Some(rest.split_once(')')?.0)).flat_map(|list| list.split(',').map(str::trim))
}

fn expressions(dashboard: &Value, all: &mut Vec<String>) {
    match dashboard {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value {
            Value::String(text) if ["expr", "query", "definition"].contains(&name.as_str()) => {
                all.push(text.clone())
            }
            value => expressions(value, all),
        }),
        Value::Array(values) => values.iter().for_each(|value| expressions(value, all)),
        _ => {}
    }
}

/// What happens rarely, counted once, and not where other tests look for it.
fn rare() -> String {
    use vtc_gateway::metrics as it;
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        it::retry();
        it::retry_refused();
        it::breaker_opened();
        it::discovery_failed("dns");
        it::reconnect();
        it::forged();
        it::limited("tokens");
        it::reloaded(true);
    });
    recorder.handle().render()
}

/// A pod whose metrics are read, a request that a queue lets go, and a Redis that is away.
async fn usual() -> String {
    let pod = fast_pod("deployed");
    let queue = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 4\n";
    let redis = "[redis]\nurls = [\"unix:///nowhere\"]\n";
    let gateway = Gateway::configured(&[&pod], &format!("{queue}{redis}")).await;
    assert_eq!(gateway.ask(ask_chat().of("alice")).await.status, 200);
    soon(async {
        while gateway.get_json("/v1/vtc/replica").await["failures"] == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gateway.metrics().await
}

#[actix_web::test]
async fn alerts_and_dashboard_ask_for_what_is_exported() {
    let text = usual().await + &rare();
    let exported = exported(&text);
    let known: BTreeSet<_> = exported.values().flatten().chain(&OF_PROMETHEUS).copied().collect();
    let mut texts = vec![ALERTS.to_owned(), TRIED.to_owned()];
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut texts);
    assert!(texts.len() > 20, "the dashboard has expressions");
    for text in &texts {
        for (name, labels) in named(text) {
            let Some(has) = exported.get(name) else {
                panic!("{name} is not exported, but asked for in {text}")
            };
            for label in labels {
                assert!(
                    has.contains(label) || OF_PROMETHEUS.contains(&label),
                    "{name} has no {label}: {text}"
                );
            }
        }
        for label in grouped(text) {
            assert!(known.contains(label), "no metric has {label}: {text}");
        }
    }
}
