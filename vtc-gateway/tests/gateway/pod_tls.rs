//! Pods behind TLS.

use crate::common::certificate::Identity;
use crate::common::scripted_pod::piece;
use crate::common::tls_front::TlsFront;
use crate::common::{Gateway, ScriptedPod, ask_chat};

fn trusting(pod: &Identity) -> String {
    format!("[upstream.tls]\nca_file = {:?}\n", pod.file("cert.pem"))
}

async fn pods_ready(gateway: &Gateway) -> u64 {
    gateway.get_json("/healthz").await["pods_ready"].as_u64().unwrap()
}

#[actix_web::test]
async fn a_pod_whose_authority_is_trusted_answers_and_streams() {
    let (identity, mut pod) = (Identity::of("127.0.0.1"), ScriptedPod::start("a").await);
    let front = TlsFront::before(&pod, identity.server(None)).await;
    let gateway = Gateway::configured(&[&front], &trusting(&identity)).await;
    let reply = gateway.start_asking(ask_chat());
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "a");
    let events = gateway.start_streaming(ask_chat().streamed());
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    for _ in 0..3 {
        call.event(piece("la")).await;
        assert_eq!(events.next_json().await, piece("la"));
    }
    drop(events);
    call.closed().await;
}

#[actix_web::test]
async fn a_pod_that_nobody_vouches_for_is_not_spoken_to() {
    let (identity, other) = (Identity::of("127.0.0.1"), Identity::of("127.0.0.1"));
    let pod = ScriptedPod::start("a").await;
    let front = TlsFront::before(&pod, identity.server(None)).await;
    for toml in [String::new(), trusting(&other)] {
        let gateway = Gateway::configured(&[&front], &toml).await;
        assert_eq!(pods_ready(&gateway).await, 0);
        assert_eq!(gateway.ask(ask_chat()).await.status, 503);
    }
}

#[actix_web::test]
async fn a_pod_with_anothers_name_is_not_spoken_to() {
    let (identity, pod) = (Identity::of("127.0.0.2"), ScriptedPod::start("a").await);
    let front = TlsFront::before(&pod, identity.server(None)).await;
    assert_eq!(pods_ready(&Gateway::configured(&[&front], &trusting(&identity)).await).await, 0);
}

#[actix_web::test]
async fn a_pod_without_tls_is_not_spoken_to_in_the_clear() {
    let pod = ScriptedPod::start("a").await;
    let mut setting = crate::common::gateway::Pod::setting(&pod);
    setting.url = setting.url.replace("http://", "https://");
    struct Plain(vtc_gateway::settings::PodSetting);
    impl crate::common::gateway::Pod for Plain {
        fn setting(&self) -> vtc_gateway::settings::PodSetting {
            self.0.clone()
        }
    }
    let toml = "[upstream]\nconnect_timeout = \"20ms\"";
    assert_eq!(pods_ready(&Gateway::configured(&[&Plain(setting)], toml).await).await, 0);
}

#[actix_web::test]
async fn a_pod_that_wants_to_know_who_asks_is_shown_the_gateways_certificate() {
    let (identity, own) = (Identity::of("127.0.0.1"), Identity::of("gateway"));
    let pod = ScriptedPod::start("a").await;
    let front = TlsFront::before(&pod, identity.server(Some(&own))).await;
    let nameless = Gateway::configured(&[&front], &trusting(&identity)).await;
    assert_eq!(pods_ready(&nameless).await, 0);
    let shown = format!("cert_file = {:?}\nkey_file = {:?}", own.file("cert.pem"), own.file("key.pem"));
    let named = Gateway::configured(&[&front], &(trusting(&identity) + &shown)).await;
    assert_eq!(pods_ready(&named).await, 1);
}
