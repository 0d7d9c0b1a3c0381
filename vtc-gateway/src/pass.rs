//! What a request holds that may go: its place on a pod, and who pays for it.

use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

use vtc_actor::Permit;
use vtc_actor::dispatcher::Grant;
use vtc_core::{Pod, PodTable, Ticket, Usage};

use crate::estimate::Lesson;
use crate::fleet::{Probe, Vitals};
use crate::quota::Stay;
use crate::record::{Ending, Trail};

/// A request that has been admitted. It ends once: by one of the endings, which consume it, or by being dropped, which
/// charges what was delivered.
#[must_use = "dropping a pass gives up its request"]
pub(crate) struct Pass {
    kind: Kind,
    /// Its place within its account's limits, if there are any.
    stay: Option<Stay>,
    /// Who is told how the pod does, once it has been asked.
    vitals: Option<Arc<Vitals>>,
    /// What is remembered of the request.
    trail: Option<Rc<Trail>>,
}

enum Kind {
    /// There is no queue.
    Open { ticket: Ticket, among: PodTable, untried: PodTable, probe: Option<Probe>, lesson: Option<Lesson> },
    /// It comes from the queue, which wants to know what becomes of it.
    Queued { permit: Box<Permit>, tried: Vec<String> },
}

// === impl Pass ===

impl Pass {
    /// The pass of a request that did not have to wait. `among`: the pods that its own was chosen from. `pods`: those that
    /// could serve it. `probe`: the place that it has on a pod whose breaker is half open.
    pub(crate) fn open(ticket: Ticket, among: PodTable, pods: &PodTable, probe: Option<Probe>) -> Self {
        Self::of(Kind::Open { ticket, among, untried: pods.clone(), probe, lesson: None })
    }

    /// The same, from which something is learned when it is settled. The queue learns by itself.
    pub(crate) fn teaching(mut self, learned: Option<Lesson>) -> Self {
        if let Kind::Open { lesson, .. } = &mut self.kind {
            *lesson = learned;
        }
        self
    }

    /// The pass of a request whose turn has come.
    pub(crate) fn queued(permit: Permit) -> Self {
        Self::of(Kind::Queued { permit: Box::new(permit), tried: Vec::new() })
    }

    const fn of(kind: Kind) -> Self {
        Self { kind, stay: None, vitals: None, trail: None }
    }

    /// The same, within its account's limits.
    pub(crate) fn within(self, stay: Option<Stay>) -> Self {
        if let Some(stay) = &stay {
            stay.begin();
        }
        Self { stay, ..self }
    }

    /// The same, with what is remembered of the request: it ends there, too.
    pub(crate) fn recorded(self, trail: &Rc<Trail>) -> Self {
        trail.goes_to(self.pod().name());
        Self { trail: Some(Rc::clone(trail)), ..self }
    }

    /// What is remembered of the request.
    pub(crate) fn trail(&self) -> Option<&Trail> {
        self.trail.as_deref()
    }

    /// Notes how the request ends.
    fn ends(&self, ending: Ending) {
        if let Some(trail) = &self.trail {
            trail.ends(ending);
        }
    }

    /// Its account's limits learn what it has cost.
    fn cost(&self, input_tokens: u64, output_tokens: u64) {
        if let Some(stay) = &self.stay {
            stay.cost(input_tokens.saturating_add(output_tokens));
        }
    }

    /// Its pod is asked: these shall know how it does.
    pub(crate) fn asks(&mut self, vitals: &Arc<Vitals>) {
        self.vitals = Some(Arc::clone(vitals));
    }

    /// The pod has answered, well or not.
    pub(crate) fn pod_answered(&self, well: bool) {
        if let Some(vitals) = &self.vitals {
            if well { vitals.succeeded() } else { vitals.failed(false) }
        }
    }

    /// The pod has failed it, and why.
    pub(crate) fn note_failure(&self, failure: &dyn Display) {
        if let Some(trail) = &self.trail {
            trail.failed(failure);
        }
    }

    /// Its answer breaks off with an error of that code.
    pub(crate) fn broke_off(&self, code: &'static str) {
        if let Some(trail) = &self.trail {
            trail.broke_off(code);
        }
    }

    /// The pod has not answered; `is_away`: nobody is there.
    pub(crate) fn pod_failed(&self, is_away: bool) {
        if let Some(vitals) = &self.vitals {
            vitals.failed(is_away);
        }
    }

    /// The pod that the request goes to.
    pub(crate) fn pod(&self) -> &Pod {
        match &self.kind {
            Kind::Open { ticket, .. } => ticket.pod(),
            Kind::Queued { permit, .. } => permit.pod(),
        }
    }

    /// The pods that its first was chosen from.
    pub(crate) const fn among(&self) -> &PodTable {
        match &self.kind {
            Kind::Open { among, .. } => among,
            Kind::Queued { permit, .. } => permit.among(),
        }
    }

    /// The weighted tokens that its user was charged in advance.
    pub(crate) fn reserved(&self) -> f64 {
        match &self.kind {
            Kind::Open { ticket, .. } => ticket.reserved(),
            Kind::Queued { permit, .. } => permit.ticket().reserved(),
        }
    }

    /// How it came out of the queue; `None` if there is none.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        match &self.kind {
            Kind::Open { .. } => None,
            Kind::Queued { permit, .. } => Some(permit.grant()),
        }
    }

    /// To another pod, one that it has not been to. `choose` is asked where there is no queue that knows more. Says
    /// whether there is one.
    pub(crate) async fn move_on(&mut self, choose: impl FnOnce(&PodTable) -> Option<Arc<Pod>>) -> bool {
        self.vitals = None;
        let moved = match &mut self.kind {
            Kind::Open { ticket, untried, probe, .. } => {
                *probe = None;
                *untried = untried.without(ticket.pod());
                let next = choose(untried);
                next.as_ref().inspect(|next| ticket.move_to(next)).is_some()
            }
            Kind::Queued { permit, tried } => {
                tried.push(permit.pod().name().to_owned());
                let avoid: Vec<&str> = tried.iter().map(String::as_str).collect();
                matches!(permit.move_on(&avoid).await, Ok(Ok(())))
            }
        };
        if moved && let Some(trail) = &self.trail {
            trail.goes_to(self.pod().name());
        }
        moved
    }

    /// So much has flowed so far, input and output. Never lowers what was said before.
    pub(crate) fn progress(&self, input_tokens: u64, output_tokens: u64) {
        self.cost(input_tokens, output_tokens);
        if let Some(trail) = &self.trail {
            trail.progress(input_tokens, output_tokens);
        }
        match &self.kind {
            Kind::Open { ticket, .. } => {
                // An error would mean a number that is not finite; these are whole numbers.
                let _ = ticket.progress(input_tokens as f64, output_tokens as f64);
            }
            Kind::Queued { permit, .. } => permit.progress(input_tokens, output_tokens),
        }
    }

    /// The request has ended and cost that much.
    pub(crate) fn settle(self, usage: Usage) {
        self.cost(usage.input, usage.output);
        self.ends(Ending::Settled(usage));
        match self.kind {
            Kind::Open { ticket, lesson, .. } => {
                if let Some(lesson) = lesson {
                    lesson.learn(usage.output);
                }
                // As above: never an error.
                let _ = ticket.settle(usage.input as f64, usage.output as f64);
            }
            Kind::Queued { permit, .. } => permit.settle(usage),
        }
    }

    /// The request has ended, and nobody said what it cost: what was delivered, or else what was estimated.
    pub(crate) fn close(self) {
        self.ends(Ending::Closed);
        match self.kind {
            Kind::Open { ticket, .. } => {
                ticket.close();
            }
            Kind::Queued { permit, .. } => permit.close(),
        }
    }

    /// The request was not served: it costs nothing.
    pub(crate) fn void(self) {
        self.cost(0, 0);
        self.ends(Ending::Voided);
        match self.kind {
            Kind::Open { ticket, .. } => {
                let _ = ticket.settle(0.0, 0.0);
            }
            Kind::Queued { permit, .. } => permit.void(),
        }
    }
}
