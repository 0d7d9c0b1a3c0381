//! `vtc-gateway explain`: a request's story, asked of a running gateway and laid out for a terminal.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use crate::ask::{self, plain};
use crate::cli::ExplainArgs;

/// It looks into a list.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the gateway, and prints what it tells.
///
/// # Errors
/// The gateway cannot be reached, or does not know that request, or wants a key.
pub async fn run(args: &ExplainArgs) -> anyhow::Result<()> {
    let story = ask::json(&args.gateway, &format!("/v1/vtc/explain/{}", escaped(&args.id)), PATIENCE).await?;
    print!("{}", laid_out(&story));
    Ok(())
}

/// What may stand in a path as it is, stands there; all else by its bytes.
fn escaped(id: &str) -> String {
    id.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

/// The story as a page of text.
#[must_use]
pub fn laid_out(story: &Value) -> String {
    let text = |value: &Value| plain(value.as_str().unwrap_or_default());
    let mut page =
        format!("request {}\n{}  {}\n\n", text(&story["id"]), text(&story["time"]), text(&story["ending"]));
    for word in story["words"].as_array().into_iter().flatten() {
        let _ = writeln!(page, "  {}", text(word));
    }
    let pods = story["choice"]["pods"].as_array().map(Vec::as_slice).unwrap_or_default();
    if pods.is_empty() {
        return page;
    }
    let width = pods.iter().map(|pod| text(&pod["pod"]).len()).max().unwrap_or_default().max(3);
    let scored = pods.iter().any(|pod| !pod["score"].is_null());
    let _ = write!(page, "\n    {:width$}  running", "pod");
    page.push_str(if scored { "  fairness  utilisation   score\n" } else { "\n" });
    for pod in pods {
        let mark = if pod["chosen"] == true { '>' } else { ' ' };
        let _ = write!(
            page,
            "  {mark} {:width$}  {:>7}",
            text(&pod["pod"]),
            pod["running"].as_u64().unwrap_or_default()
        );
        if scored {
            let number = |name: &str| pod[name].as_f64().unwrap_or_default();
            let _ = write!(
                page,
                "  {:>8.3}  {:>11.3}  {:>6.3}",
                number("fairness"),
                number("utilisation"),
                number("score")
            );
        }
        page.push('\n');
    }
    if scored {
        page.push_str("    The least score wins, but for a noise below 0.1.\n");
    }
    page
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_story_is_laid_out_with_the_chosen_pod_marked() {
        let pod = |name: &str, chosen: bool, score: f64| json!({ "pod": name, "chosen": chosen, "running": 2, "fairness": score, "utilisation": 0.0, "score": score });
        let story = json!({
            "id": "r\u{1b}[31m1", "time": "2026-01-01T00:00:00.000Z", "ending": "settled",
            "words": ["It came.", "It went."],
            "choice": { "pods": [pod("pod-0", false, 1.0), pod("pod-1", true, 0.25)] },
        });
        let page = laid_out(&story);
        assert!(
            page.starts_with("request r[31m1\n2026-01-01T00:00:00.000Z  settled\n\n  It came.\n  It went.\n")
        );
        assert!(page.contains("\n  > pod-1        2     0.250        0.000   0.250\n"), "{page}");
        assert!(page.contains("\n    pod-0        2     1.000        0.000   1.000\n"), "{page}");
    }

    #[test]
    fn a_name_stands_in_a_path_by_its_bytes() {
        assert_eq!(escaped("a-1_2.3~"), "a-1_2.3~");
        assert_eq!(escaped("a/b?c ü"), "a%2Fb%3Fc%20%C3%BC");
    }
}
