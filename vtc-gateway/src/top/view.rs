//! A picture of the model. Pure: the same model gives the same picture.
//!
//! Colours are the terminal's own, few, and never the only sign of anything.

mod help;
mod overview;
mod pods;
mod requests;
mod text;
mod users;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Paragraph};

use super::model::{Mode, Model};

/// The least that something can be seen on.
const LEAST: (u16, u16) = (50, 12);
/// Lines for pods and for requests at most, with their titles, on a screen of 24.
const PODS: u16 = 5;
const REQUESTS: u16 = 5;

/// Draws it.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let (width, height) = LEAST;
        let small = format!("This takes {width} columns and {height} lines.");
        frame.render_widget(Paragraph::new(small), area);
        return;
    }
    let pods = model.frame.as_ref().map_or(0, |frame| frame.pods.len()) as u16 + 1;
    // What is high has more to show of everything; what is low shows users first.
    let spare = area.height.saturating_sub(24);
    let pods = pods.min(PODS + spare / 3).min(area.height / 4);
    let requests = if area.height < 20 { 0 } else { REQUESTS + spare / 3 };
    let [top, users, below, last, keys] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Min(3),
        Constraint::Length(pods),
        Constraint::Length(requests),
        Constraint::Length(1),
    ])
    .areas(area);
    overview::draw(frame, top, model);
    users::draw(frame, users, model);
    pods::draw(frame, below, model);
    requests::draw(frame, last, model);
    frame.render_widget(Paragraph::new(footer(model)), keys);
    if model.mode == Mode::Help {
        help::draw(frame, area);
    }
}

fn footer(model: &Model) -> Line<'_> {
    match model.mode {
        Mode::Search => Line::from(vec![
            "Search: ".bold(),
            text::plain(&model.filter).into(),
            "▏".into(),
            "  Enter keeps it, Esc clears it".dim(),
        ]),
        _ => {
            let hold = if model.is_held { "goes on" } else { "hold still" };
            Line::from(format!("q quit  ? help  / search  s sort by  1-7 sort keys  ↑↓ scroll  space {hold}"))
                .dim()
        }
    }
}

/// How wide a column of names is, where the others leave so much.
fn name_width<'a>(names: impl Iterator<Item = &'a str>, left: u16) -> u16 {
    const LEAST: u16 = 9;
    let longest = names.map(|name| name.chars().count()).max().unwrap_or_default();
    u16::try_from(longest).unwrap_or(u16::MAX).min(left).max(LEAST)
}

/// A part's frame: a line with its title.
fn titled<'a>(title: impl Into<Line<'a>>) -> Block<'a> {
    let mut title = title.into();
    title.push_span(" ");
    Block::new().borders(Borders::TOP).border_style(Style::new().add_modifier(Modifier::DIM)).title(title)
}
