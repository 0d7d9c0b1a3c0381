//! What a change would do, asked of a gateway that has served a little.

use serde_json::{Value, json};

use crate::common::binary::Binary;
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod, soon};

const QUEUE: &str = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 2\n";

/// Two users ask in turn, so often.
async fn used(gateway: &Gateway, times: usize) {
    for number in 0..times {
        let question = ask_chat().of(["alice", "bob"][number % 2]);
        gateway.stream(question.streamed()).await.rest().await;
    }
    // The last one's end may still be on its way to the record.
    soon(async {
        while gateway.get_json("/v1/vtc/requests?limit=1000").await["requests"].as_array().unwrap().len()
            < times
        {}
    })
    .await;
}

fn words(answer: &Value) -> String {
    let words = answer["words"].as_array().unwrap().iter();
    words.map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[actix_web::test]
async fn the_same_requests_are_told_three_times() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], QUEUE).await;
    used(&gateway, 24).await;
    let answer = gateway.get_json("/v1/vtc/whatif?queue=fcfs&weight=alice%3D4&pods=%2B1&minutes=1").await;
    assert_eq!(answer["change"], "with the queue fcfs, with weight 4 for alice, with 1 pod more");
    assert_eq!(answer["model"]["pods"], json!([1, 2]));
    for run in answer["all"].as_array().unwrap() {
        assert_eq!((&run["requests"], &run["refused"]), (&json!(24), &json!(0)));
        let [median, p99] = [0, 1].map(|at| run["first_token"][at].as_f64().unwrap());
        assert!(0.0 < median && median <= p99, "{run}");
    }
    let users: Vec<_> =
        answer["users"].as_array().unwrap().iter().map(|user| (&user["user"], &user["weights"])).collect();
    assert_eq!(users, [(&json!("alice"), &json!([1.0, 4.0])), (&json!("bob"), &json!([1.0, 1.0]))]);
    let words = words(&answer);
    assert!(words.contains("24 requests of 2 users to") && words.contains("Replayed as it was"), "{words}");
    assert!(
        words.contains("With the queue fcfs, with weight 4 for alice, with 1 pod more, the p99 first token"),
        "{words}"
    );
}

#[actix_web::test]
async fn what_cannot_be_answered_is_told_why() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], QUEUE).await;
    used(&gateway, 5).await;
    let thin = gateway.get("/v1/vtc/whatif?queue=fcfs").await;
    assert_eq!((thin.status, &thin.json()["error"]["code"]), (409, &json!("record_too_thin")));
    assert!(thin.json()["error"]["message"].as_str().unwrap().starts_with("5 requests of "));
    for (query, param, allowed) in [
        ("queue=vtc", "queue", "vtc-fair"),
        ("pods=-", "pods", "+N"),
        ("weight=alice", "weight", "ACCOUNT=WEIGHT"),
        ("minutes=99", "minutes", "60"),
        ("colour=red", "query", "policy"),
    ] {
        let wrong = gateway.get(&format!("/v1/vtc/whatif?{query}")).await;
        let error = wrong.json()["error"].clone();
        assert_eq!((wrong.status, &error["param"]), (400, &json!(param)), "{error}");
        assert!(error["message"].as_str().unwrap().contains(allowed), "{error}");
    }
    let forgetful = Gateway::configured(&[&pod], "[record]\narrivals = 0\n").await;
    let nothing = forgetful.get("/v1/vtc/whatif").await;
    assert_eq!(nothing.status, 409);
    assert!(nothing.json()["error"]["message"].as_str().unwrap().contains("record.arrivals"));
}

/// A replay takes a core for as long as it lasts.
#[actix_web::test]
async fn of_two_at_once_one_comes_later() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], QUEUE).await;
    used(&gateway, 24).await;
    let ask = || gateway.get("/v1/vtc/whatif?queue=fcfs");
    let busy = soon(async {
        loop {
            let pair = futures_util::join!(ask(), ask());
            let (told, later): (Vec<_>, Vec<_>) =
                [pair.0, pair.1].into_iter().partition(|it| it.status == 200);
            assert!(!told.is_empty(), "one of them is answered");
            // Sometimes the first is done before the second comes.
            if let Some(later) = later.into_iter().next() {
                return later;
            }
        }
    })
    .await;
    assert_eq!((busy.status, &busy.json()["error"]["code"]), (429, &json!("replay_under_way")));
    assert_eq!(busy.headers.get("retry-after").unwrap(), "2");
    assert_eq!(ask().await.status, 200, "and it is not held up for longer");
}

/// Requests that the queue turns away would come again, and have to be served by more pods.
#[actix_web::test]
async fn who_was_turned_away_is_replayed_too() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], &format!("{QUEUE}max_requests = 1\n")).await;
    let runs = [gateway.start_asking(ask_chat().of("alice")), gateway.start_asking(ask_chat().of("alice"))];
    let calls = [pod.call().await, pod.call().await];
    let waits = gateway.line_up(ask_chat().of("alice"), 1).await;
    assert_eq!(gateway.ask(ask_chat().of("bob")).await.status, 429);
    for call in calls {
        call.answer_chat(3, 5).await;
    }
    pod.call().await.answer_chat(3, 5).await;
    for asked in runs.into_iter().chain([waits]) {
        assert_eq!(asked.await.unwrap().status, 200);
    }
    pod.always(|call| async move { call.answer_chat(3, 5).await });
    for _ in 0..20 {
        assert_eq!(gateway.ask(ask_chat().of("alice")).await.status, 200);
    }
    let answer = soon(async {
        loop {
            let reply = gateway.get("/v1/vtc/whatif?pods=4").await;
            if reply.status == 200 && reply.json()["all"][0]["requests"] == 24 {
                return reply.json();
            }
        }
    })
    .await;
    let bob = answer["users"].as_array().unwrap().iter().find(|user| user["user"] == "bob").unwrap();
    assert_eq!(bob["figures"][0]["refused"], 1);
    assert_eq!(bob["figures"][2]["refused"], 0, "four pods have room for it");
}

#[actix_web::test]
async fn the_terminal_tells_it_with_the_admins_key() {
    let pod = fast_pod("a");
    let gateway = Gateway::administered(&[&pod], QUEUE).await;
    used(&gateway, 24).await;
    let url = format!("http://{}", gateway.address);
    let told = |arguments: &[&str]| {
        [&["whatif", "--gateway", &url, "--admin-key-env", "KEY"], arguments]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let texts = |arguments: &[String]| arguments.iter().map(String::as_str).collect::<Vec<_>>().join("\0");
    let arguments = texts(&told(&["--queue", "none", "--pods", "-1", "--weight", "bob=2"]));
    let arguments: Vec<_> = arguments.split('\0').collect();
    let mut binary = Binary::start(&arguments, &[("KEY", "key-of-admin")]);
    let mut page = String::new();
    while let Some(line) = binary.line().await {
        page.push_str(&line);
        page.push('\n');
    }
    assert_eq!(binary.exit_code().await, Some(0), "{page}");
    assert!(
        page.starts_with("What if: without a queue, with weight 2 for bob, with 1 pod fewer\n"),
        "{page}"
    );
    assert!(page.contains("1 -> 2") && page.contains("Replayed as it was"), "{page}");
    let error = Binary::refused(&arguments, &[("KEY", "wrong")]).await;
    assert!(error.contains("401"), "{error}");
    // Before anybody is asked.
    let error =
        Binary::refused(&["whatif", "--gateway", "http://127.0.0.1:1", "--policy", "nearest"], &[]).await;
    assert!(error.contains("least-request"), "{error}");
}
