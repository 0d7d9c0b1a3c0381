//! The table of users.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, Table};

use super::text::{bar, plain, short, time, trend};
use crate::top::frame::User;
use crate::top::model::{Model, TREND};
use crate::top::sort::Sort;

/// The widths of all columns but the first.
const WIDTHS: [u16; 9] = [6, 7, BAR as u16, TREND as u16, 6, 7, 4, 3, 7];
/// How many characters the bar has.
const BAR: usize = 8;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let users = model.users();
    let all = model.frame.as_ref().map_or(0, |told| told.users.len());
    let most = users.iter().map(|user| user.service).fold(0.0, f64::max);
    let rows = users.iter().skip(model.scroll).map(|user| row(user, most, model));
    let mut title = vec!["Users ".bold(), format!("by {}", model.sort.name()).into()];
    if !model.filter.is_empty() {
        title.push(format!("  with \"{}\": {} of {all}", plain(&model.filter), users.len()).into());
    }
    if let Some(others) = model.frame.as_ref().map(|told| &told.others).filter(|others| others.users > 0) {
        title.push(
            format!("  {} others: {}/s, {} in flight", others.users, short(others.service), others.in_flight)
                .dim(),
        );
    }
    let others: u16 = WIDTHS.iter().map(|width| width + 1).sum();
    let names = users.iter().map(|user| user.user.as_str());
    let name = super::name_width(names, area.width.saturating_sub(others));
    let widths = [name].into_iter().chain(WIDTHS).map(Constraint::Length);
    let table = Table::new(rows, widths).header(header(model.sort)).block(super::titled(Line::from(title)));
    frame.render_widget(table, area);
}

fn header(sort: Sort) -> Row<'static> {
    let column = |title: &'static str, of: Option<Sort>| {
        let style = Style::new().add_modifier(Modifier::BOLD);
        let style = if of == Some(sort) { style.add_modifier(Modifier::UNDERLINED) } else { style };
        Text::from(title).style(style)
    };
    Row::new([
        Cell::from(column("user", Some(Sort::Name))),
        right(column("weight", None)),
        right(column("tok/s", Some(Sort::Service))),
        Cell::from(column("share", None)),
        Cell::from(column("of late", None)),
        right(column("window", Some(Sort::Window))),
        right(column("counter", Some(Sort::Counter))),
        right(column("wait", Some(Sort::Waiting))),
        right(column("run", Some(Sort::Running))),
        right(column("1st p99", Some(Sort::FirstToken))),
    ])
}

fn row(user: &User, most: f64, model: &Model) -> Row<'static> {
    let part = if most > 0.0 { user.service / most } else { 0.0 };
    let number = |text: String| right(Text::from(text));
    let waiting = Text::from(user.waiting.to_string());
    Row::new([
        Cell::from(plain(&user.user)),
        number(format!("{:.3}", user.weight).trim_end_matches('0').trim_end_matches('.').to_owned()),
        number(short(user.service)),
        Cell::from(bar(part, BAR)).cyan(),
        Cell::from(format!("{:>TREND$}", trend(model.trend(&user.user)))).cyan(),
        number(short(user.tokens)),
        number(user.counter.map_or("-".to_owned(), short)),
        right(if user.waiting > 0 { waiting.bold() } else { waiting }),
        number(user.running.to_string()),
        number(time(user.first_token.map(|[_, p99]| p99))),
    ])
}

fn right(text: Text<'static>) -> Cell<'static> {
    Cell::from(text.alignment(Alignment::Right))
}
