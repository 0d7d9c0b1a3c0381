//! A decision in words.

use vtc_core::Usage;

use super::{ChoiceStory, Story};
use crate::record::{Decision, Ending, Turn};

/// Step by step.
pub(super) fn steps(story: &Story<'_>, d: &Decision) -> Vec<String> {
    let mut words = Vec::new();
    let who = story.account.unwrap_or("somebody");
    let how = match story.source {
        Some("key") => ", known by a key",
        Some("header") => ", named by a header",
        Some("address") => ", known by the client's address",
        _ => "",
    };
    let model = story.model.map_or(String::new(), |model| format!(" for {model}"));
    words.push(format!("It came from {who}{how}, to {}{model}.", story.endpoint));
    if let Some(estimate) = story.estimate {
        words.push(format!(
            "It was estimated at {} tokens to read and {} to write.",
            count(estimate.input),
            count(estimate.output)
        ));
    }
    if let Some(turn) = &d.turn {
        words.push(format!(
            "It waited {:.3} s in the queue {}: {}. Its user's virtual counter was {} then.",
            turn.waited.as_secs_f64(),
            turn.discipline,
            ahead(turn),
            count(turn.counter)
        ));
    }
    if let Some(choice) = &story.choice {
        let several = choice.of > 1;
        let had_room = if d.turn.is_some() && several { " that had room" } else { "" };
        let pods = if several { format!("{} pods{had_room}", choice.of) } else { "one pod".to_owned() };
        words.push(format!(
            "{} chose {} among {pods}; its user had {} weighted tokens in the window, which is position {:.2}.",
            story.policy,
            d.tries.first().map_or("none", |it| &*it.pod),
            count(choice.tokens),
            choice.position
        ));
        words.push(format!("{} weighted tokens were reserved.", count(story.reserved)));
    }
    words.extend(story.failures.iter().map(|it| format!("{} failed: {}.", it.pod, it.failure)));
    if story.retries > 0 {
        let last = story.pod.unwrap_or_default();
        words.push(format!("It went to {} pods, last to {last}.", story.retries + 1));
    }
    if let Some(first) = story.first_token_ms {
        words.push(format!("Its first token came after {:.3} s.", first / 1e3));
    }
    words.push(end(story, d));
    words
}

fn end(story: &Story<'_>, d: &Decision) -> String {
    let after = format!("after {:.3} s", story.duration_ms / 1e3);
    let delivered = story
        .delivered
        .map_or("nothing".to_owned(), |it| format!("{} tokens read and {} written", it.input, it.output));
    let status = story.status.map_or(String::new(), |status| format!(" {status}"));
    match (&d.refused, d.ending) {
        (Some(refused), _) => {
            let message = refused.message.as_ref().map_or(String::new(), |it| format!(" ({it})"));
            format!("It was refused {after} with{status} {}{message}; it cost nothing.", refused.code)
        }
        (None, Ending::Settled(Usage { input, output, .. })) => format!(
            "It ended {after}, settled with what its pod said: {input} tokens read and {output} written."
        ),
        (None, Ending::Closed) if story.delivered.is_some() => {
            format!(
                "It ended {after}; its pod did not say what it took, so what had flowed was charged: {delivered}."
            )
        }
        (None, Ending::Closed) => {
            format!("It ended {after}; its pod did not say what it took, so the estimate was charged.")
        }
        (None, Ending::Voided) => format!("It ended {after} with{status} from its pod; it cost nothing."),
        (None, Ending::Left) if story.pod.is_some() => {
            format!("Its client left {after}; what had flowed by then was charged: {delivered}.")
        }
        (None, Ending::Left) => format!("Its client left {after}, before its turn; it cost nothing."),
    }
}

/// Why it went when it did, and where.
pub(super) fn reason(d: &Decision, choice: Option<&ChoiceStory<'_>>) -> String {
    if let Some(refused) = &d.refused {
        return refused.message.clone().unwrap_or_else(|| refused.code.to_owned());
    }
    let turn = match &d.turn {
        Some(turn) => format!("{}: {}; ", turn.discipline, ahead(turn)),
        None if d.tries.is_empty() => return "its client left before its turn".to_owned(),
        None => String::new(),
    };
    let score = choice.and_then(|it| it.pods.iter().find(|pod| pod.chosen)).and_then(|pod| pod.score);
    let why = match (choice.map_or(0, |it| it.of), score) {
        (1, _) => "the only pod with room".to_owned(),
        (of, Some(score)) => format!("{}, score {score:.2}, {of} pods", d.policy),
        (of, None) => format!("{}, {of} pods", d.policy),
    };
    let pod = d.tries.first().map_or("no pod", |it| &*it.pod);
    match d.tries.len() {
        0 | 1 => format!("{turn}{pod} by {why}"),
        tries => format!("{turn}{pod} by {why}; it failed, {} more tried", tries - 1),
    }
}

fn ahead(turn: &Turn) -> String {
    match turn.ahead {
        Some(0) => "nobody was to go before its user".to_owned(),
        Some(1) => "1 user was to go before its own".to_owned(),
        Some(ahead) => format!("{ahead} users were to go before its own"),
        None if turn.counted => "its user had as much running as one may".to_owned(),
        None => "how many users were before its own was not counted".to_owned(),
    }
}

/// A number of tokens for reading.
fn count(tokens: f64) -> String {
    format!("{:.0}", tokens)
}
