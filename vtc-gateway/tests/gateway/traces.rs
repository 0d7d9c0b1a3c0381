//! Traces over several services.

use crate::common::wire::Message;
use crate::common::{Gateway, ScriptedPod, ask_chat};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const STATE: &str = "vendor=1,other=2";

/// What the pod sees of a request of a client that is on that trace, or on none.
async fn seen(pod: &mut ScriptedPod, gateway: &Gateway, parent: Option<&str>) -> Message {
    let mut question = ask_chat();
    if let Some(parent) = parent {
        question = question.with_header("traceparent", parent).with_header("tracestate", STATE);
    }
    let reply = gateway.start_asking(question);
    let call = pod.call().await;
    let request = call.request.clone();
    call.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().status, 200);
    request
}

#[actix_web::test]
async fn without_spans_of_its_own_the_gateway_passes_traces_on_as_they_are() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let request = seen(&mut pod, &gateway, Some(PARENT)).await;
    assert_eq!((request.header("traceparent"), request.header("tracestate")), (Some(PARENT), Some(STATE)));
    assert_eq!(seen(&mut pod, &gateway, None).await.header("traceparent"), None);
}

#[cfg(not(feature = "otel"))]
#[actix_web::test]
async fn a_gateway_built_without_spans_says_so() {
    let file = vtc_gateway::settings::SettingsFile::parse(
        "[traces]\nendpoint = \"http://127.0.0.1:4318\"\n[[pods]]\nname = \"a\"\nurl = \"http://127.0.0.1:9\"",
    );
    let error = vtc_gateway::settings::Settings::new(file.unwrap(), |_| None).unwrap_err().to_string();
    assert!(error.contains("traces.endpoint") && error.contains("feature `otel`"), "{error}");
}

#[cfg(feature = "otel")]
mod otel {
    use std::collections::BTreeMap;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use prost::Message as _;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::common::binary::Binary;
    use crate::common::gateway::Pod;
    use crate::common::scripted_pod::counted_piece;
    use crate::common::soon;

    /// Takes traces, and keeps them.
    struct Collector(TcpListener);

    /// The spans of a request, by name; the root's is "".
    type Spans = BTreeMap<String, Span>;

    // === impl Collector ===

    impl Collector {
        async fn start() -> Self {
            Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
        }

        fn toml(&self) -> String {
            format!("[traces]\nendpoint = \"http://{}\"\nservice = \"mine\"\n", self.0.local_addr().unwrap())
        }

        /// The next batch: the spans of one request.
        async fn spans(&self) -> Spans {
            let (mut connection, _) = soon(self.0.accept()).await.unwrap();
            let request = soon(Message::read(&mut connection)).await.unwrap();
            assert_eq!(request.first_line, "POST /v1/traces HTTP/1.1");
            assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            let batch = ExportTraceServiceRequest::decode(&request.body[..]).unwrap();
            let [resource] = &batch.resource_spans[..] else { panic!("{batch:?}") };
            let service = &resource.resource.as_ref().unwrap().attributes;
            assert!(format!("{service:?}").contains("\"mine\""), "{service:?}");
            let spans = resource.scope_spans.iter().flat_map(|scope| scope.spans.clone());
            let name = |span: &Span| {
                if span.kind() == SpanKind::Server { String::new() } else { span.name.clone() }
            };
            spans.map(|span| (name(&span), span)).collect()
        }
    }

    /// A span's attributes, as text.
    fn attributes(span: &Span) -> BTreeMap<&str, String> {
        let text = |value: &Value| match value {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            Value::DoubleValue(_) => "a number".to_owned(),
            other => panic!("{other:?}"),
        };
        let pair = |attribute: &opentelemetry_proto::tonic::common::v1::KeyValue| {
            text(attribute.value.as_ref().unwrap().value.as_ref().unwrap())
        };
        span.attributes.iter().map(|attribute| (attribute.key.as_str(), pair(attribute))).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    async fn serve(collector: &Collector, pod: &ScriptedPod, toml: &str) -> (Binary, Gateway) {
        let config = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(config.path(), collector.toml() + toml).unwrap();
        let pod = format!("a={}", pod.setting().url);
        let config = config.path().to_str().unwrap();
        let serve = ["serve", "--listen", "127.0.0.1:0", "--pod", &pod, "--config", config];
        // By itself it would send an hour later: at its end it sends at once.
        let mut binary = Binary::start(&serve, &[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]);
        let gateway = binary.gateway().await;
        (binary, gateway)
    }

    /// The spans that a gateway sends at its end.
    async fn ended(binary: Binary, collector: &Collector) -> Spans {
        binary.terminate().await;
        let spans = collector.spans().await;
        assert_eq!(binary.exit_code().await, Some(0));
        spans
    }

    #[actix_web::test]
    async fn a_request_is_a_span_below_its_clients_and_above_its_pods() {
        let (collector, mut pod) = (Collector::start().await, ScriptedPod::start("a").await);
        let (binary, gateway) =
            serve(&collector, &pod, "[queue]\ndiscipline = \"fcfs\"\npod_max_running = 1").await;
        let request = seen(&mut pod, &gateway, Some(PARENT)).await;
        let spans = ended(binary, &collector).await;
        assert_eq!(spans.keys().collect::<Vec<_>>(), ["", "pod", "wait"]);
        let root = &spans[""];
        assert_eq!((root.name.as_str(), hex(&root.parent_span_id).as_str()), ("chat m", "00f067aa0ba902b7"));
        for span in spans.values() {
            assert_eq!(hex(&span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert!(span.name == "chat m" || span.parent_span_id == root.span_id);
        }
        let below = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", hex(&spans["pod"].span_id));
        assert_eq!(request.header("traceparent"), Some(&*below));
        assert_eq!(request.header("tracestate"), Some(STATE));
        let expected = [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.request.model", "m"),
            ("gen_ai.usage.cache_read.input_tokens", "0"),
            ("gen_ai.usage.input_tokens", "7"),
            ("gen_ai.usage.output_tokens", "5"),
            ("http.request.method", "POST"),
            ("http.response.status_code", "200"),
            ("http.route", "/v1/chat/completions"),
            ("vtc.pod", "a"),
            ("vtc.policy", "vtc-basic"),
            ("vtc.queue.wait", "a number"),
        ];
        // Neither a prompt nor a user is among them.
        assert_eq!(attributes(root), expected.map(|(name, value)| (name, value.to_owned())).into());
    }

    #[actix_web::test]
    async fn where_there_is_no_trace_one_is_begun() {
        let (collector, mut pod) = (Collector::start().await, ScriptedPod::start("a").await);
        let (binary, gateway) = serve(&collector, &pod, "users = true").await;
        let request = seen(&mut pod, &gateway, None).await;
        let spans = ended(binary, &collector).await;
        let (trace, span) = (hex(&spans[""].trace_id), hex(&spans["pod"].span_id));
        assert_eq!(request.header("traceparent"), Some(format!("00-{trace}-{span}-01").as_str()));
        assert!(spans[""].parent_span_id.is_empty());
        assert_eq!(attributes(&spans[""])["enduser.id"], "@anonymous");
    }

    #[actix_web::test]
    async fn a_stream_ends_its_span_with_what_it_was_and_an_error_if_it_broke_off() {
        let (collector, mut pod) = (Collector::start().await, ScriptedPod::start("a").await);
        let (binary, gateway) = serve(&collector, &pod, "").await;
        let events = gateway.start_streaming(ask_chat().streamed());
        let mut call = pod.call().await;
        call.begin().await;
        call.event(counted_piece("la", 7, 2)).await;
        call.close();
        events.await.unwrap().rest().await;
        let spans = ended(binary, &collector).await;
        let told = attributes(&spans[""]);
        assert_eq!((&*told["gen_ai.usage.output_tokens"], &*told["error.type"]), ("2", "pod_failed"));
        assert_eq!(spans[""].status.as_ref().unwrap().message, "pod_failed");
    }

    #[actix_web::test]
    async fn a_client_that_wants_no_trace_kept_has_none_kept() {
        let (collector, mut pod) = (Collector::start().await, ScriptedPod::start("a").await);
        let (binary, gateway) = serve(&collector, &pod, "").await;
        let request = seen(&mut pod, &gateway, Some(&PARENT.replace("-01", "-00"))).await;
        assert!(request.header("traceparent").unwrap().ends_with("-00"));
        seen(&mut pod, &gateway, None).await;
        let spans = ended(binary, &collector).await;
        assert_ne!(hex(&spans[""].trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[actix_web::test]
    async fn a_collector_that_is_away_keeps_nobody_from_anything() {
        let (collector, mut pod) = (Collector::start().await, ScriptedPod::start("a").await);
        let (binary, gateway) = serve(&collector, &pod, "").await;
        drop(collector);
        seen(&mut pod, &gateway, Some(PARENT)).await;
        binary.terminate().await;
        assert_eq!(binary.exit_code().await, Some(0));
    }
}
