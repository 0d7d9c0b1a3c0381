//! The pods: how full they are.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::Stylize;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, Table};

use super::text::{bar, plain, short};
use crate::top::frame::Pod;
use crate::top::model::Model;

/// How many characters the bar has.
const BAR: usize = 20;
/// The widths of all columns but the first.
const WIDTHS: [u16; 4] = [8, BAR as u16, 24, 11];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let all = model.frame.as_ref().map(|told| told.pods.as_slice()).unwrap_or_default();
    // Those that do not work first, if not all can be seen.
    let mut pods: Vec<_> = all.iter().collect();
    pods.sort_by_key(|pod| pod.health == READY);
    let room = usize::from(area.height.saturating_sub(1));
    let hidden = pods.len().saturating_sub(room);
    let more = if hidden > 0 { format!("  {hidden} more that are not shown") } else { String::new() };
    let title = Line::from(vec!["Pods".bold(), more.dim()]);
    let others: u16 = WIDTHS.iter().map(|width| width + 1).sum();
    let names = all.iter().map(|pod| pod.pod.as_str());
    let name = super::name_width(names, area.width.saturating_sub(others));
    let widths = [name].into_iter().chain(WIDTHS).map(Constraint::Length);
    let table = Table::new(pods.into_iter().take(room).map(row), widths).block(super::titled(title));
    frame.render_widget(table, area);
}

const READY: &str = "ready";

fn row(pod: &Pod) -> Row<'static> {
    let health = Cell::from(plain(&pod.health));
    let tokens = pod.tokens.zip(pod.max_tokens);
    let requests = pod.max_running.map(|most| (pod.running, most));
    let part = |(held, most): (u64, u64)| held as f64 / most.max(1) as f64;
    // The fuller of the two is what keeps others waiting.
    let full = tokens.into_iter().chain(requests).map(part).reduce(f64::max);
    let of = |most: Option<u64>| most.map_or(String::new(), |most| format!("/{}", short(most as f64)));
    let held = match tokens {
        Some((held, most)) => {
            format!("{} run, {}/{} tok", pod.running, short(held as f64), short(most as f64))
        }
        None => format!("{}{} run", pod.running, of(pod.max_running)),
    };
    Row::new([
        Cell::from(plain(&pod.pod)),
        if pod.health == READY { health } else { health.red().bold() },
        Cell::from(full.map_or(String::new(), |full| bar(full, BAR))).cyan(),
        Cell::from(held),
        Cell::from(Text::from(format!("{} tok/s", short(pod.service))).alignment(Alignment::Right)),
    ])
}
