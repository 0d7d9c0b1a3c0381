//! Spans, and OpenTelemetry's way to collect them.
//!
//! A request is a span of the kind `server`. Below it are `wait`, while it waits for its turn, and `pod`, from when a pod
//! is asked to the end, which is also the parent that the pod sees. Attributes have the names of OpenTelemetry's
//! conventions for generative AI where these have one, else they begin with `vtc.`.

use std::cell::RefCell;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use vtc_core::ConfigError;

use super::Told;
use super::collector::Collector;
use crate::record::CLIENT_LEFT;
use crate::request::Endpoint;
use crate::settings::{SettingsError, TracesSetting};

/// Where spans go, if anywhere.
#[derive(Debug)]
pub(crate) struct Traces(Option<(SdkTracerProvider, SdkTracer)>);

/// The spans of one request. Those that are begun end with it.
pub(crate) struct Spans {
    tracer: SdkTracer,
    endpoint: Endpoint,
    request: Context,
    wait: RefCell<Option<Context>>,
    pod: RefCell<Option<Context>>,
}

/// How long the end of the gateway waits for the last spans to be taken.
const LAST: Duration = Duration::from_secs(2);

// === impl Traces ===

impl Traces {
    pub(crate) fn new(setting: &TracesSetting) -> Result<Self, SettingsError> {
        let Some(url) = setting.url() else { return Ok(Self(None)) };
        let odd = |error: &dyn std::fmt::Display| {
            ConfigError::new("traces.endpoint", format!("{url} ({error})"), "a URL, as http://127.0.0.1:4318")
        };
        let collector = Collector::new()?;
        let exporter = SpanExporter::builder().with_http().with_http_client(collector).with_endpoint(&url);
        let exporter = exporter.build().map_err(|error| odd(&error))?;
        let resource = Resource::builder().with_service_name(setting.service.clone()).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(setting.sample))))
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("vtc-gateway");
        Ok(Self(Some((provider, tracer))))
    }

    /// A request has come.
    pub(crate) fn begin(&self, endpoint: Endpoint, client: &HttpRequest) -> Option<Spans> {
        let (_, tracer) = self.0.as_ref()?;
        let parent =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Incoming(client.headers()));
        let span = tracer
            .span_builder(format!("{} {}", client.method(), endpoint.path()))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", client.method().to_string()),
                KeyValue::new("http.route", endpoint.path()),
            ]);
        let request = parent.with_span(tracer.build_with_context(span, &parent));
        let tracer = tracer.clone();
        Some(Spans { tracer, endpoint, request, wait: RefCell::default(), pod: RefCell::default() })
    }

    /// What has ended and was not sent yet is sent, if that does not take too long. The last thing that is done.
    pub(crate) fn flush(&self) {
        if let Some((provider, _)) = &self.0
            && let Err(error) = provider.shutdown_with_timeout(LAST)
        {
            tracing::warn!(%error, "the last traces are lost");
        }
    }
}

// === impl Spans ===

impl Spans {
    pub(crate) fn trace_id(&self) -> String {
        self.request.span().span_context().trace_id().to_string()
    }

    /// It begins to wait for its turn.
    pub(crate) fn wait(&self) {
        *self.wait.borrow_mut() = Some(self.child("wait", SpanKind::Internal));
    }

    /// Its turn has come.
    pub(crate) fn go(&self) {
        if let Some(wait) = self.wait.take() {
            wait.span().end();
        }
    }

    /// A pod is asked, with these headers.
    pub(crate) fn ask(&self, headers: &mut HeaderMap) {
        let pod = self.child("pod", SpanKind::Client);
        TraceContextPropagator::new().inject_context(&pod, &mut Outgoing(headers));
        *self.pod.borrow_mut() = Some(pod);
    }

    /// It is over.
    pub(crate) fn end(self, told: &Told<'_>) {
        self.go();
        let span = self.request.span();
        span.update_name(match told.model {
            Some(model) => format!("{} {model}", operation(self.endpoint).unwrap_or(self.endpoint.path())),
            None => operation(self.endpoint).unwrap_or(self.endpoint.path()).to_owned(),
        });
        span.set_attributes(attributes(self.endpoint, told));
        let is_refused = told.status.is_some_and(|status| (400..500).contains(&status));
        if let Some(error) = told.error.filter(|error| !is_refused && *error != CLIENT_LEFT) {
            span.set_status(Status::error(error));
        }
        if let Some(pod) = self.pod.take() {
            pod.span().set_attributes(told.pod.map(|pod| KeyValue::new("vtc.pod", pod.to_owned())));
            pod.span().end();
        }
        span.end();
    }

    fn child(&self, name: &'static str, kind: SpanKind) -> Context {
        let span = self.tracer.span_builder(name).with_kind(kind);
        self.request.with_span(self.tracer.build_with_context(span, &self.request))
    }
}

/// What is done there, in the words of the conventions for generative AI.
const fn operation(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Responses | Endpoint::Messages => Some("chat"),
        Endpoint::Completions | Endpoint::LlamaCompletion => Some("text_completion"),
        Endpoint::Embeddings => Some("embeddings"),
        _ => None,
    }
}

fn attributes(endpoint: Endpoint, told: &Told<'_>) -> impl Iterator<Item = KeyValue> {
    let text = |name: &'static str, value: Option<&str>| Some(KeyValue::new(name, value?.to_owned()));
    // Numbers of tokens have no sign there.
    let count = |name: &'static str, count: Option<u64>| {
        Some(KeyValue::new(name, i64::try_from(count?).unwrap_or(i64::MAX)))
    };
    let (status, usage) = (told.status.map(u64::from), told.usage);
    let waited = told.waited.map(|waited| KeyValue::new("vtc.queue.wait", waited.as_secs_f64()));
    [
        text("gen_ai.operation.name", operation(endpoint)),
        text("gen_ai.request.model", told.model),
        count("gen_ai.usage.input_tokens", usage.map(|usage| usage.input)),
        count("gen_ai.usage.cache_read.input_tokens", usage.map(|usage| usage.cached)),
        count("gen_ai.usage.output_tokens", usage.map(|usage| usage.output)),
        count("http.response.status_code", status),
        text("error.type", told.error),
        text("enduser.id", told.user),
        text("vtc.pod", told.pod),
        text("vtc.policy", told.policy),
        waited,
    ]
    .into_iter()
    .flatten()
}

/// Headers from which a trace is read.
struct Incoming<'a>(&'a HeaderMap);

/// Headers into which a trace is written.
struct Outgoing<'a>(&'a mut HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            if value.is_empty() {
                self.0.remove(name);
            } else {
                self.0.insert(name, value);
            }
        }
    }
}
