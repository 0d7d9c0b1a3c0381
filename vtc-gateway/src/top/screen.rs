//! The terminal.

use std::io::{IsTerminal, stdout};

use anyhow::{Context, bail};
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::channel;

use super::model::{Input, Model, Next};
use super::{feed, view};
use crate::cli::TopArgs;

/// Shows a running gateway until whoever watches has seen enough. The terminal is given back as it was, whatever happens.
///
/// # Errors
/// There is no terminal; the gateway wants a key.
pub async fn run(args: &TopArgs) -> anyhow::Result<()> {
    if !stdout().is_terminal() {
        bail!("top needs a terminal; for programs there are /v1/vtc/live and /v1/vtc/users");
    }
    feed::may_look(&args.gateway).await?;
    // Also has a panic give the terminal back before it says what it is.
    let mut terminal = ratatui::try_init().context("the terminal cannot be drawn on")?;
    let shown = show(&mut terminal, args).await;
    ratatui::restore();
    shown
}

async fn show(terminal: &mut DefaultTerminal, args: &TopArgs) -> anyhow::Result<()> {
    // A few, so that what is shown is not old.
    let (sender, mut inputs) = channel(4);
    let feeds = [
        actix_web::rt::spawn(feed::follow(args.gateway.clone(), sender.clone())),
        actix_web::rt::spawn(feed::follow_requests(args.gateway.clone(), sender)),
    ];
    let mut keys = EventStream::new();
    let mut ended = signal(SignalKind::terminate()).context("cannot hear signals")?;
    let mut model = Model::new(&args.gateway.url);
    let shown = loop {
        if let Err(error) = terminal.draw(|frame| view::draw(frame, &model)) {
            break Err(error).context("the terminal cannot be drawn on");
        }
        let next = tokio::select! {
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) => model.on(Input::Key(key)),
                // Another size, as a rule: to be drawn anew.
                Some(Ok(_)) => Next::Go,
                Some(Err(error)) => break Err(error).context("the keyboard cannot be read"),
                None => Next::Quit,
            },
            Some(input) = inputs.recv() => model.on(input),
            _ = ended.recv() => Next::Quit,
        };
        if next == Next::Quit {
            break Ok(());
        }
    };
    feeds.iter().for_each(|feed| feed.abort());
    shown
}
