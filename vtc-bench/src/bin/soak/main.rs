//! The gateway under load with everything going wrong around it, and every token accounted for.
//!
//! ```sh
//! cargo build --release && cargo run --release -p vtc-bench --bin soak -- --seconds 600
//! cargo run --release -p vtc-bench --bin soak -- --requests 100000 --queue vtc-fair
//! ```
//!
//! The gateway runs as its operators run it: the binary, in a process of its own. Before it are clients, of whom many
//! leave, stall or send rubbish; behind it are pods, of which many die, refuse or stall, each behind a proxy that spoils
//! connections. What shall happen to a request is drawn beforehand, a [`Plan`] that its client and its pod
//! share, so what it must cost is known to the token:
//!
//! - **A complete answer costs the usage that its pod reported**, whole or streamed, after however many attempts.
//! - **A stream that was cut off, by whichever side, costs what the pod had reported in the last event that came through.**
//!   To know which that was, the side that cuts waits until the client has it.
//! - **A whole answer whose client did not wait for it costs the estimate**: its pod has worked for it, and nobody knows how
//!   much.
//! - **Everything else costs nothing**: what was refused, by the gateway or a pod, and what nobody answered.
//!
//! In the end the gateway gets SIGTERM while streams are open: each must come to its proper end. Before that each user's tokens at `/v1/vtc/users` are compared with that sum, and nothing may be left: no request in
//! flight, none waiting, no connection. Memory is looked at throughout.

mod account;
mod board;
mod client;
mod gateway;
mod memory;
mod options;
mod plan;
mod pod;
mod proxy;
mod wire;

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use self::account::Account;
use self::board::Board;
use self::client::Outcome;
use self::gateway::Gateway;
use self::memory::Memory;
use self::options::Options;
use self::plan::Plan;

/// How many users ask.
const USERS: u64 = 50;
/// How many streams are open when the gateway is told to end.
const ACROSS: u64 = 12;
/// How long what is left may take to end.
const ENDING: Duration = Duration::from_secs(20);

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // One thread: the other core is the gateway's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(&options))
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let board = Rc::new(Board::default());
    let mut pods = Vec::new();
    for number in 0..options.pods {
        let pod = pod::start(Rc::clone(&board)).await?;
        pods.push(proxy::start(pod, options.faults, options.seed + u64::from(number)).await?);
    }
    let gateway = Rc::new(Gateway::start(options, &pods).await?);
    let account = Rc::new(Account::default());
    let mut idle = Vec::new();
    for _ in 0..options.idle {
        idle.push(TcpStream::connect(gateway.address()).await.context("an idle connection")?);
    }
    let mut memory = Memory::of(gateway.process()?);

    let workers: Vec<_> = (0..options.clients)
        .map(|number| tokio::task::spawn_local(work(options.clone(), number, &board, &gateway, &account)))
        .collect();
    let ends = tokio::time::Instant::now() + options.length();
    while workers.iter().any(|worker| !worker.is_finished()) {
        memory.look()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        if tokio::time::Instant::now() > ends + ENDING {
            break;
        }
    }
    for worker in workers {
        ensure!(worker.is_finished(), "a request has had no end for {ENDING:?}");
        worker.await.context("a client broke")?;
    }
    gateway.until_idle(ENDING).await?;
    print!("{account}{memory}");
    let charged = gateway.charged().await?;
    account.compare(&charged)?;
    memory.is_flat()?;
    drop(idle);
    end(&board, gateway).await?;
    println!(
        "every request accounted for, every token charged to whom it was due, nothing left; {ACROSS} streams came through \
         its end"
    );
    Ok(())
}

/// Tells the gateway to end while many streams are open, and sees that they end well, and it, too.
async fn end(board: &Rc<Board>, gateway: Rc<Gateway>) -> anyhow::Result<()> {
    let mut streams = Vec::new();
    for user in 0..ACROSS {
        // A proxy may spoil a beginning; one that has begun may not be spoiled.
        loop {
            let entry = board.post(Plan::across_the_end());
            let address = gateway.address();
            let asked = Rc::clone(&entry);
            let mut stream =
                tokio::task::spawn_local(async move { client::ask(address, user, &asked).await });
            tokio::select! {
                () = entry.halfway.notified() => {
                    streams.push((entry, stream));
                    break;
                }
                outcome = &mut stream => match outcome? {
                    Outcome::Refused { .. } => {}
                    other => bail!("before the end: {other:?}"),
                },
            }
        }
    }
    gateway.terminate().await?;
    while TcpStream::connect(gateway.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    streams.iter().for_each(|(entry, _)| entry.go_on.notify_one());
    for (_, stream) in streams {
        let outcome = stream.await?;
        ensure!(matches!(outcome, Outcome::Completed { .. }), "across the end: {outcome:?}");
    }
    Rc::into_inner(gateway).context("a client still asks")?.ended(ENDING).await
}

/// One client after the other, until time or requests are over.
fn work(
    options: Options,
    number: u64,
    board: &Rc<Board>,
    gateway: &Rc<Gateway>,
    account: &Rc<Account>,
) -> impl Future<Output = ()> + 'static {
    let (board, gateway, account) = (Rc::clone(board), Rc::clone(gateway), Rc::clone(account));
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(options.seed ^ (number << 32));
    async move {
        let ends = tokio::time::Instant::now() + options.length();
        while tokio::time::Instant::now() < ends && account.asked() < options.requests() {
            let user = account.next() % USERS;
            let mut plan = Plan::draw(&mut rng, options.faults);
            while options.only.as_deref().is_some_and(|only| only != plan.course.name()) {
                plan = Plan::draw(&mut rng, 0.9);
            }
            let entry = board.post(plan);
            let outcome = client::ask(gateway.address(), user, &entry).await;
            board.take_down(entry.id);
            account.enter(user, &entry.plan, outcome);
            tokio::time::sleep(options.pause()).await;
        }
    }
}
