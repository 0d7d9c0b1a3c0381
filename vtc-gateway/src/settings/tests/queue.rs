//! The queue, as files say it.

use super::*;

const QUEUE: &str = r#"
    [[pods]]
    name = "a"
    url = "http://10.0.0.1:8000"
    max_running = 8

    [[pods]]
    name = "b"
    url = "http://10.0.0.2:8000"
    max_tokens = 5000

    [queue]
    discipline = "drr"
    pod_max_running = 32
    max_requests = 7
    max_bytes = 700
    max_per_user = 6
    max_running_per_user = 5
    longest_wait = "4s"
    cost = "profiled"
    cached_input = 0.1
    quantum = 100
    weights = { alice = 4, bob = 0.5 }
"#;

#[test]
fn a_file_reaches_every_setting_of_the_queue() {
    let settings = settings(QUEUE, &[]).unwrap();
    let capacities: Vec<_> = settings.pods.iter().map(|pod| (pod.max_running, pod.max_tokens)).collect();
    assert_eq!(capacities, [(Some(8), None), (Some(32), Some(5000))], "a pod's own word goes first");
    let Queue { dispatcher, .. } = settings.queue.unwrap();
    assert_eq!(dispatcher.discipline, "drr");
    assert_eq!(dispatcher.options.quantum.as_f64(), 100.0);
    let limits = dispatcher.limits;
    assert_eq!((limits.requests, limits.bytes, limits.per_user, limits.running_per_user), (7, 700, 6, 5));
    assert_eq!(dispatcher.longest_wait, Some(Duration::from_secs(4)));
    // The profiled cost of 100 tokens read, 90 of them from the cache: 2.1 each, a tenth of that; and its constant.
    let cost = dispatcher.cost.unwrap()();
    let usage = vtc_core::Usage { input: 100, cached: 90, output: 0 };
    assert_eq!(cost.cost(usage).as_f64(), 51.36);
    let weights = ["alice", "bob", "carol"].map(|user| settings.tenants.of(user).weight.as_f64());
    assert_eq!(weights, [4.0, 0.5, 1.0]);
}

#[test]
fn the_linear_cost_has_the_weights_of_the_tracker() {
    let file =
        QUEUE.replace("\"profiled\"", "\"linear\"") + "\n[tracker]\nweights = { input = 1, output = 10 }";
    let queue = settings(&file, &[]).unwrap().queue.unwrap();
    let usage = vtc_core::Usage { input: 100, cached: 90, output: 3 };
    assert_eq!(queue.dispatcher.cost.unwrap()().cost(usage).as_f64(), 10.0 + 9.0 + 30.0);
}

#[test]
fn without_a_discipline_there_is_no_queue() {
    let file = QUEUE.replace("discipline = \"drr\"", "");
    assert!(settings(&file, &[]).unwrap().queue.is_none());
    assert!(settings(FILE, &[]).unwrap().queue.is_none());
}

#[test]
fn every_mistake_about_the_queue_is_named() {
    let bad = |from: &str, to: &str| settings(&QUEUE.replace(from, to), &[]).unwrap_err().to_string();
    assert!(bad("\"drr\"", "\"lottery\"").contains("none or one of fcfs, vtc-fair"));
    assert!(bad("pod_max_running = 32", "pod_max_running = 0").contains("queue.pod_max_running: \"0\""));
    assert!(bad("max_running = 8", "max_running = 0").contains("max_running of pod a: \"0\""));
    let both = QUEUE.replace("max_tokens = 5000", "").replace("pod_max_running = 32", "");
    assert!(settings(&both, &[]).unwrap_err().to_string().contains("pod b has none of its own"));
    assert!(bad("max_requests = 7", "max_requests = 0").contains("queue.max_requests"));
    assert!(bad("max_per_user = 6", "max_per_user = 0").contains("queue.max_per_user"));
    assert!(
        bad("max_running_per_user = 5", "max_running_per_user = 0").contains("queue.max_running_per_user")
    );
    assert!(bad("\"4s\"", "\"0s\"").contains("queue.longest_wait"));
    assert!(bad("cached_input = 0.1", "cached_input = 1.5").contains("queue.cached_input"));
    assert!(bad("quantum = 100", "quantum = 0").contains("queue.quantum"));
    assert!(bad("bob = 0.5", "bob = 0").contains("queue.weights.bob: \"0\""));
    assert!(bad("\"profiled\"", "\"cheap\"").contains("cheap"));
}
