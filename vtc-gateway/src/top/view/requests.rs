//! The last decisions.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::Stylize;
use ratatui::text::Text;
use ratatui::widgets::{Cell, Row, Table};

use super::text::{plain, time};
use crate::top::frame::Request;
use crate::top::model::Model;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    if area.height == 0 {
        return;
    }
    let filter = model.filter.to_lowercase();
    let of_filter = |request: &&Request| {
        filter.is_empty()
            || request.account.as_ref().is_some_and(|user| user.to_lowercase().contains(&filter))
    };
    let rows = model.requests.iter().filter(of_filter).take(usize::from(area.height - 1)).map(row);
    let widths = [
        Constraint::Length(8),
        Constraint::Length(12),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Min(10),
    ];
    let title = "Last requests: ended, first token, end, why there and then".bold();
    frame.render_widget(Table::new(rows, widths).block(super::titled(title)), area);
}

fn row(request: &Request) -> Row<'static> {
    // The time of day of `2026-01-01T12:34:56.789Z`.
    let clock = request.time.get(11..19).unwrap_or_default();
    let ending = Cell::from(plain(&request.ending));
    let right = |text: String| Cell::from(Text::from(text).alignment(Alignment::Right));
    Row::new([
        Cell::from(plain(clock)).dim(),
        Cell::from(plain(request.account.as_deref().unwrap_or("?"))),
        if request.ending == "refused" { ending.red() } else { ending },
        right(time(request.first_token_ms.map(|millis| millis / 1e3))),
        right(time(Some(request.duration_ms / 1e3))),
        Cell::from(plain(&request.reason)).dim(),
    ])
}
