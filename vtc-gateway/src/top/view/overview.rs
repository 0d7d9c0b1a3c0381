//! The first lines: how it stands with all together.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::text::{plain, short, time};
use crate::top::frame::Frame as Told;
use crate::top::model::{Link, Model};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let mut lines = vec![title(model)];
    if let Some(told) = &model.frame {
        lines.extend([load(told), speed(told), queue(told)]);
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn title(model: &Model) -> Line<'_> {
    let link = match &model.link {
        Link::Connecting => " connecting ".reversed(),
        Link::Live if model.is_held => " held still ".reversed(),
        Link::Live => " live ".green().reversed(),
        // What is shown below is what was told last.
        Link::Lost(why) => Span::from(format!(" lost: {} - trying again ", plain(why))).red().reversed(),
    };
    let up = model
        .frame
        .as_ref()
        .map(|told| format!("  up {}", age(told.time.saturating_sub(told.started) / 1000)));
    Line::from(vec![
        "vtc-gateway ".bold(),
        plain(&model.url).into(),
        " ".into(),
        link,
        up.unwrap_or_default().dim(),
    ])
}

fn load(told: &Told) -> Line<'_> {
    let totals = &told.totals;
    Line::from(vec![
        "service ".dim(),
        short(totals.service).bold(),
        " weighted tokens/s   ".dim(),
        "in flight ".dim(),
        totals.in_flight.to_string().bold(),
        "   waiting ".dim(),
        totals.waiting.to_string().bold(),
        "   users ".dim(),
        totals.users.to_string().bold(),
    ])
}

fn speed(told: &Told) -> Line<'_> {
    let totals = &told.totals;
    let [median, p99] = totals.first_token.map_or([None; 2], |it| it.map(Some));
    let refused = short(totals.refused);
    Line::from(vec![
        "first token ".dim(),
        time(median).bold(),
        " median, ".dim(),
        time(p99).bold(),
        " p99   ".dim(),
        "ended ".dim(),
        short(totals.ended).bold(),
        "/s   refused ".dim(),
        if totals.refused > 0.0 { refused.red().bold() } else { refused.bold() },
        "/s   Jain ".dim(),
        format!("{:.2}", totals.jain).bold(),
    ])
}

/// The queue with the most requests that wait.
fn queue(told: &Told) -> Line<'_> {
    if let Some(trouble) = told.troubles.first() {
        return Line::from(Span::from(plain(trouble)).red());
    }
    let Some(queue) = told.queues.iter().max_by_key(|queue| queue.waiting) else {
        return Line::from("no queue: requests wait in their pods".dim());
    };
    let bound = queue.bound.map_or(String::new(), |bound| format!(" ≤ {}", short(bound)));
    let [median, p99] = queue.wait.map_or([None; 2], |it| it.map(Some));
    Line::from(vec![
        "queue ".dim(),
        plain(&queue.discipline).bold(),
        format!(" of {}   waits ", plain(&queue.pool)).dim(),
        time(median).bold(),
        " median, ".dim(),
        time(p99).bold(),
        " p99   gap ".dim(),
        short(queue.gap).bold(),
        bound.dim(),
    ])
}

/// A span of seconds in two units.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds} s"),
        () if hours == 0 => format!("{minutes} min {} s", seconds % 60),
        () if days == 0 => format!("{hours} h {} min", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
}
