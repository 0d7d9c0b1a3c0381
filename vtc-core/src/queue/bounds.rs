//! What the fair queue guarantees, and why. There is no code here: `tests/queue/bounds.rs` tests each of these over
//! random arrivals, lengths, weights, pods and capacities, and finds a counterexample to each when the rule that gives it
//! is switched off.
//!
//! # U: how far ahead one user can get
//!
//! Let `cost = w_p * input + w_q * output`; let `L` be the most input of one request; let `M` be the tokens that all
//! pods together hold, where **what a request will hold in the end is reserved when it is dispatched**, so that the final
//! sizes of the requests that run at the same time never add up to more than `M`. Then
//!
//! ```text
//! U = w_q * M + max(0, w_p - w_q) * L           with 1 and 2: twice the tokens that the pods hold
//! ```
//!
//! is the most that one user is charged from the moment it is chosen until it is chosen again: `w_p` times the input n
//! of the request it is chosen for, and `w_q` times the tokens that its running requests have still to write, which are
//! at most M - n.
//!
//! The paper has `max(w_p * L, w_q * M)`. For `w_p <= w_q`, as with 1 and 2, it is the same, as L is at most M. For
//! dearer input it is too little: with 2 and 1, M = 100 and L = 50, one user may be charged 2 * 50 for a prompt and 50
//! for what its others still write, 150 in all, where the formula says 100.
//!
//! Without the reservation, where only what is held *now* must fit, requests that end make room for others to grow:
//! those that run at one moment may have more than M tokens ahead of them, and U grows by up to a factor of the
//! logarithm of M (if every s steps M / s of them are still running, they write M (1 + 1/2 + 1/3 + …) tokens). With
//! another cost, U is whatever the running requests of one user can still be charged.
//!
//! # The laws
//!
//! For `vtc-fair`. Service is divided by weight where weights differ, `w(f)` being the weight of f; n is the number of
//! users.
//!
//! | | law | with equal weights |
//! | --- | --- | --- |
//! | 1 | counters of those who wait: max - min <= U / least weight | U |
//! | 2 | f and g both wait throughout: their service differs by at most U / w(f) + U / w(g) | 2 U |
//! | 3 | f waits throughout, g does anything: g is served at most U / w(f) + 2 U / w(g) more than f | 3 U |
//! | 4 | room is left only if what goes next does not fit in it | |
//! | 5 | f comes with nothing waiting or running, at the level: others are served at most n U until it is dispatched | n U |
//! | 6 | f comes with nothing waiting or running, anyhow: the same, with | (2 n - 1) U |
//!
//! 1. *The level never falls:* without refunds counters only rise; whoever comes in is lifted to the level; and when
//!    nobody waits, the level is the counter of the user who left last, who was at the level or above. When k was chosen
//!    last, it was the least, so its counter was the level of that time. Since then it was charged at most U / w(k), and
//!    perhaps lifted to a level. So *every* counter, of users who wait or not, is at most the level of now plus U / w,
//!    while the counters of those who wait are at least the level.
//! 2. Neither is lifted, since both wait: each one's service is what its counter rose by. The difference of their counters
//!    is between -U / w(g) and U / w(f) at both ends. (Paper: 2 U.)
//! 3. The counter of f rises by what it is served. Where g waits or comes, its counter is at least the level, which is at
//!    least f's at the beginning less U / w(f); in the end it is at most f's plus U / w(g). Before g comes for the first
//!    time, its requests that run since before write at most U.
//! 4. [`pop`](super::FairQueue::pop) refuses only if nobody is in the order, or if it was told that the first request does
//!    not fit. (Not with [`running_per_user`](super::QueueLimits::running_per_user), which is a promise to leave room.)
//! 5. Until then f is in the order with a counter c that does not change, so that the level is at most c. Others who wait
//!    or come have counters from the level at f's arrival, which is c, to c + U / weight: each is served at most U. Those
//!    who do not wait as f comes have at most U together still to write. With the least service `a` of the pods per second,
//!    while anybody waits, that is n U / a seconds.
//! 6. Its counter may be above the level by U, so others may start from as much below it.
//!
//! Where one rule is switched off: without the lift (`lcf`) 1, 2, 3 and 6 break; without the stop, with the first request
//! that fits taken instead, 1 and 5 do, as large requests are passed over without end.
//!
//! # The other disciplines
//!
//! | | counters of those who wait: max - min at most |
//! | --- | --- |
//! | `vtc-pred`, every prediction true | the largest cost of one request / weight |
//! | `vtc-pred`, no prediction above what was reserved | 2 U / least weight |
//! | `vtc-max-fair`, when somebody is chosen | U / least weight |
//! | `drr` | U / least weight + quantum |
//! | `fcfs`, `lcf` | no bound |
//!
//! With true predictions all of a request is charged when it is dispatched, so whoever is chosen is ahead by that one
//! request, and nothing comes after. It is this bound that breaks if a batch is charged only when it is complete. (The
//! bound U would survive: all that one batch can hold is in it.)
//!
//! With other predictions there are refunds, and the level can fall: by what was charged in advance and never delivered,
//! at most U in all, since what is predicted is no more than what is reserved.
//!
//! With `drr` whoever is chosen is in the earliest round, so ahead of the least by less than a quantum.
//!
//! # Several replicas
//!
//! What they tell each other, and how: [`news`](super::news). Let R be the most that all users together are charged in one interval between two exchanges, divided by weight; let news
//! take at most an interval; let M, and with it U, count what replicas together have on the pods, too many included.
//!
//! | | law |
//! | --- | --- |
//! | 7 | f and g both wait throughout: their service differs by at most U / w(f) + U / w(g) + 12 R |
//! | 8 | room that a replica sees, while somebody waits there who may go, is filled within four exchanges, by it or another |
//! | 9 | a pod that takes m runs at most m for each replica |
//! | 10 | when news have flowed, a user who is present has the same counter everywhere |
//!
//! 7. A charge is known everywhere after three intervals: one until it is told, one on its way, one until it is heard. So
//!    each replica sees counters that are too low by at most 3 R in all. Whoever is chosen is the least of those who wait
//!    there, and at most the slack ahead of the least who waits elsewhere, as the replica sees it. The slack is what was charged
//!    between two exchanges, as it was heard: at most 3 R, as news of three intervals may come at once. So its counter is at most
//!    6 R above any other's who waits; then it is charged at most U / w. What is left is law 2. (It takes others an exchange to
//!    learn of room, and two more to say that they took it: within four they have, if they live and their users fit.)
//!    Measured over random users, weights, pods, intervals and delays, law 2 alone was never broken: U is rarely reached.
//! 8. Room is left only to others who are behind. If it is still there after four exchanges, all who wait may have it.
//! 9. A replica fills what it sees, and it sees at least its own. What was free at an exchange is dealt, and each takes
//!    its part: where all had heard the same, and nobody has come since, they run m together.
//! 10. It is a sum and a maximum of rows that each have one writer.
//!
//! # Many pods
//!
//! M is the sum over the pods, so U grows with the fleet. What keeps the lead small all the same is charging predictions,
//! and limiting what one user runs.
