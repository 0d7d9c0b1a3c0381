//! Where pods come from and when they are trusted, as files say it.

use super::*;

const TRUST: &str = r#"
    [discovery]
    file = "pods.toml"

    [[discovery.dns]]
    name = "vllm.default.svc"
    port = 8000
    every = "7s"
    keep = "1m"
    max_running = 3

    [health]
    unhealthy_after = 3
    healthy_after = 2
    path = "/health"
    slow_start = "10s"
    scrape = false

    [health.breaker]
    in_a_row = 4
    ratio = 0.9
    least = 8
    window = "20s"
    back_off = "2s"
    longest_back_off = "30s"

    [health.retry_budget]
    share = 0.1
    per_second = 1
"#;

#[test]
fn a_file_reaches_every_setting_of_finding_and_trusting_pods() {
    let settings = settings(TRUST, &[]).unwrap();
    assert!(settings.pods.is_empty(), "they may come later");
    assert_eq!(settings.discovery.file.as_deref(), Some("pods.toml".as_ref()));
    let dns = DnsSetting {
        name: "vllm.default.svc".into(),
        port: 8000,
        every: Duration::from_secs(7),
        keep: Duration::from_secs(60),
        max_running: Some(3),
        max_tokens: None,
    };
    assert_eq!(settings.discovery.dns, [dns]);
    let breaker = BreakerSetting {
        in_a_row: 4,
        ratio: 0.9,
        least: 8,
        window: Duration::from_secs(20),
        back_off: Duration::from_secs(2),
        longest_back_off: Duration::from_secs(30),
    };
    let health = HealthSetting {
        unhealthy_after: 3,
        healthy_after: 2,
        path: Some("/health".into()),
        slow_start: Duration::from_secs(10),
        scrape: false,
        breaker,
        retry_budget: RetryBudgetSetting { share: 0.1, per_second: 1.0 },
    };
    assert_eq!(settings.health, health);
}

#[test]
fn every_mistake_about_finding_and_trusting_pods_is_named() {
    let bad = |from: &str, to: &str| settings(&TRUST.replace(from, to), &[]).unwrap_err().to_string();
    assert!(bad("vllm.default.svc", "http://vllm").contains("discovery.dns.name"));
    assert!(bad("port = 8000", "port = 0").contains("discovery.dns.port"));
    assert!(bad("\"7s\"", "\"0s\"").contains("discovery.dns.every"));
    assert!(bad("max_running = 3", "max_running = 0").contains("(vllm.default.svc): \"0\""));
    assert!(bad("unhealthy_after = 3", "unhealthy_after = 0").contains("health.unhealthy_after"));
    assert!(bad(" healthy_after = 2", " healthy_after = 0").contains("health.healthy_after"));
    assert!(bad("\"/health\"", "\"health\"").contains("health.path"));
    assert!(bad("in_a_row = 4", "in_a_row = 0").contains("health.breaker.in_a_row"));
    assert!(bad("ratio = 0.9", "ratio = 0").contains("health.breaker.ratio"));
    assert!(bad("ratio = 0.9", "ratio = nan").contains("health.breaker.ratio"));
    assert!(bad("least = 8", "least = 0").contains("health.breaker.least"));
    assert!(bad("\"20s\"", "\"0s\"").contains("health.breaker.window"));
    assert!(bad("\"2s\"", "\"0s\"").contains("health.breaker.back_off"));
    assert!(bad("\"30s\"", "\"1s\"").contains("health.breaker.longest_back_off"));
    assert!(bad("share = 0.1", "share = -1").contains("health.retry_budget.share"));
    assert!(bad("per_second = 1", "per_second = inf").contains("health.retry_budget.per_second"));
    let queued = TRUST.to_owned() + "[queue]\ndiscipline = \"fcfs\"";
    assert!(settings(&queued, &[]).is_ok());
    let unlimited = queued.replace("max_running = 3", "");
    assert!(settings(&unlimited, &[]).unwrap_err().to_string().contains("has none of its own"));
}
