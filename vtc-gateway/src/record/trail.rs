//! What is noted of a request as it goes.

use std::cell::RefCell;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use vtc_actor::dispatcher::Grant;
use vtc_core::queue::Weight;
use vtc_core::{Pod, Router, ScoringConfig, TokenTracker, Usage};

use super::{
    Decision, Ending, Flow, LONGEST_TEXT, Look, Recent, Record, Refused, Seen, Served, TIMES, Try, Turn,
};
use crate::error::GatewayError;
use crate::estimate::Estimate;
use crate::identity::Source;
use crate::pass::Pass;
use crate::request::Endpoint;
use crate::trace::{self, Spans};

/// Goes along with a request. The request's handler holds it, and its pass; when both are gone, the request is over.
pub(crate) struct Trail {
    record: Arc<Record>,
    id: String,
    trace_id: Option<String>,
    spans: Option<Spans>,
    notes: RefCell<Notes>,
}

struct Notes {
    decision: Decision,
    user: Option<Arc<Served>>,
    /// The place of the pod among the user's.
    pod: usize,
    /// What was counted for the user so far.
    counted: Flow,
}

// === impl Trail ===

impl Trail {
    pub(super) fn new(record: Arc<Record>, endpoint: Endpoint, client: &HttpRequest, id: &str) -> Self {
        let (at, endpoint_path) = (record.now(), endpoint.path());
        let decision = Decision { at, endpoint: endpoint_path, ..Decision::default() };
        let notes = Notes { decision, user: None, pod: 0, counted: Flow::default() };
        let spans = record.journal.begin(endpoint, client);
        let own = spans.as_ref().map(Spans::trace_id);
        let trace_id = own.or_else(|| trace::trace_id(client.headers()));
        Self { record, id: id.to_owned(), trace_id, spans, notes: RefCell::new(notes) }
    }

    /// How the log names the request.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// How the log names the trace that it belongs to: the client's, or else the gateway's own.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    fn note<R>(&self, act: impl FnOnce(&mut Notes) -> R) -> R {
        act(&mut self.notes.borrow_mut())
    }

    /// Who asks, what it will probably cost, and by which policy it is to go.
    pub(crate) fn asked(&self, source: Source, policy: &'static str, estimate: Estimate) {
        self.note(|notes| {
            let decision = &mut notes.decision;
            decision.source = Some(source.name());
            decision.policy = policy;
            decision.estimate = Some(estimate);
        });
    }

    /// Its account has it in flight from now on.
    pub(crate) fn enters(&self, account: &str, weight: Weight) {
        let user = self.record.enter(account, weight);
        self.note(|notes| {
            // The name that is charged, also where it shares its numbers with others.
            let is_own = **user.name() == *account;
            notes.decision.account = Some(if is_own { Arc::clone(user.name()) } else { account.into() });
            notes.decision.weight = weight.as_f64();
            notes.user = Some(user);
        });
    }

    /// The pods of that pool can serve it.
    pub(crate) fn waits_for(&self, pool: &Arc<str>) {
        self.note(|notes| notes.decision.pool = Some(Arc::clone(pool)));
    }

    /// It may go once its turn comes. The model is one that there is.
    pub(crate) fn waits(&self, model: Option<&str>) {
        self.note(|notes| notes.decision.model = model.map(cut));
        if let Some(spans) = &self.spans {
            spans.wait();
        }
    }

    /// Its turn has come. Looks at what was decided from, now. `counted`: whether those before it were.
    pub(crate) fn admitted(&self, pass: &Pass, counted: bool, router: &Router, scoring: ScoringConfig) {
        if let Some(spans) = &self.spans {
            spans.go();
        }
        let grant = pass.grant();
        if let Some(grant) = grant {
            let now = self.record.now();
            self.record.sums(|sums| {
                let waits = sums.waits.entry(Arc::clone(&grant.pool));
                waits.or_insert_with(|| Recent::new(TIMES)).add(now, grant.waited);
            });
        }
        let reserved = pass.reserved();
        self.note(|notes| {
            let decision = &mut notes.decision;
            let here = self.record.now().since(decision.at);
            decision.turn = grant.map(|grant| Turn::of(grant, counted, here));
            decision.reserved = reserved;
            if self.record.room > 0 {
                let tracker = router.tracker();
                let tokens = decision.account.as_deref().map_or(0.0, |user| tracker.token_count(user));
                let bucket = tracker.last_extremes().bucket;
                decision.look = Some(look(pass, (tokens - reserved).max(0.0), bucket, scoring));
            }
        });
    }

    /// A pod is asked, with these headers.
    pub(crate) fn asks(&self, headers: &mut HeaderMap) {
        if let Some(spans) = &self.spans {
            spans.ask(headers);
        }
    }

    /// It is asked of that pod.
    pub(crate) fn goes_to(&self, pod: &str) {
        self.note(|notes| {
            notes.decision.tries.push(Try { pod: pod.into(), failure: None });
            if let Some(user) = &notes.user {
                notes.pod = user.with(|numbers| numbers.pod(pod));
            }
        });
    }

    /// The pod that it was asked of last has failed.
    pub(crate) fn failed(&self, failure: &dyn Display) {
        self.note(|notes| {
            if let Some(last) = notes.decision.tries.last_mut() {
                last.failure = Some(cut(&failure.to_string()));
            }
        });
    }

    /// So much of the answer has flowed so far.
    pub(crate) fn progress(&self, input: u64, output: u64) {
        self.note(|notes| {
            if output > 0 && notes.decision.first_token.is_none() {
                let now = self.record.now();
                let time = now.since(notes.decision.at);
                notes.decision.first_token = Some(time);
                self.record.sums(|sums| sums.first_tokens.add(now, time));
                if let Some(user) = &notes.user {
                    user.with(|numbers| numbers.first_tokens.add(now, time));
                }
            }
            notes.decision.delivered = Some((input, output));
            notes.count(Flow::of(input, output));
        });
    }

    /// Its pass ends that way.
    pub(crate) fn ends(&self, ending: Ending) {
        self.note(|notes| {
            notes.decision.ending = ending;
            match ending {
                Ending::Settled(Usage { input, output, .. }) => notes.count(Flow::of(input, output)),
                Ending::Voided => notes.count(Flow::default()),
                Ending::Closed if notes.decision.delivered.is_none() => {
                    // The casts saturate.
                    let estimate = notes.decision.estimate;
                    let of = |it: Estimate| Flow::of(it.input_tokens as u64, it.output_tokens as u64);
                    notes.count(estimate.map_or(notes.counted, of));
                }
                Ending::Closed | Ending::Left => {}
            }
        });
    }

    /// Its client is told that it gets no answer.
    pub(crate) fn refused(&self, error: &GatewayError, status: StatusCode) {
        self.note(|notes| {
            notes.decision.status = Some(status.as_u16());
            let message = error.is_about_the_gateway().then(|| cut(&error.to_string()));
            notes.decision.refused = Some(Refused { code: error.code(), message });
        });
    }

    /// Its client gets an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        let now = self.record.now();
        self.note(|notes| {
            notes.decision.status = Some(status.as_u16());
            notes.decision.head = Some(now.since(notes.decision.at));
        });
    }

    /// Its answer breaks off with an error of that code.
    pub(crate) fn broke_off(&self, code: &'static str) {
        self.note(|notes| notes.decision.broken = Some(code));
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        let now = self.record.now();
        let notes = self.notes.get_mut();
        if let Some(user) = notes.user.take() {
            user.with(|numbers| numbers.leave(now));
        }
        let mut decision = std::mem::take(&mut notes.decision);
        decision.id = std::mem::take(&mut self.id);
        decision.trace_id = self.trace_id.take();
        decision.duration = now.since(decision.at);
        self.record.journal.tell(&decision, self.spans.take());
        self.record.keep(decision);
    }
}

// === impl Notes ===

impl Notes {
    /// The user has been served that much in all by this request.
    fn count(&mut self, flow: Flow) {
        let news = flow.less(self.counted);
        if news == Flow::default() {
            return;
        }
        self.counted = flow;
        let Some(user) = &self.user else { return };
        user.with(|numbers| {
            if let Some(pod) = numbers.pods.get_mut(self.pod) {
                pod.total = pod.total.plus(news);
            }
        });
    }
}

// === impl Turn ===

impl Turn {
    /// `here`: how long the request has been here. The queue's clock is a coarse one.
    fn of(grant: &Grant, counted: bool, here: Duration) -> Self {
        Self {
            discipline: grant.discipline,
            waited: grant.waited.min(here),
            ahead: grant.ahead,
            counted,
            counter: grant.counter.as_f64(),
            prepaid: grant.prepaid,
        }
    }
}

fn look(pass: &Pass, tokens: f64, bucket: f64, scoring: ScoringConfig) -> Look {
    let among = pass.among().pods();
    let around = Look::around(tokens, bucket, among.len());
    let own = pass.pod().name();
    let seen = |pod: &Arc<Pod>| {
        let running = pod.in_flight();
        let is_own = pod.name() == own;
        Seen { name: pod.name().into(), running: running.saturating_sub(u64::from(is_own)) }
    };
    let first = around.start;
    let pods = among.get(around).unwrap_or_default().iter().map(seen).collect();
    Look { tokens, bucket, scoring, of: among.len(), first, pods }
}

/// As much of a text as is kept.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LONGEST_TEXT)])
}
