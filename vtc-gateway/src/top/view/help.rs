//! The keys, and what the columns say.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Block, Clear, Paragraph};

const HELP: &str = "\
q, Ctrl-C   quit              space   hold still
/           search users      Esc     clear the search
s           next sort key     ↑ ↓ PgUp  scroll
1 service  2 window  3 counter  4 waiting  5 running
6 first token  7 name

tok/s     weighted tokens per second
share     beside the user that is served most
window    weighted tokens in the tracker's window
counter   the fair queue lets go whose is least
wait run  requests in the queue, and on pods
1st p99   99 % of first tokens came within this
Jain      1: all who want something get the same
gap       between the counters of those who wait";

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = (60.min(area.width), (HELP.lines().count() as u16 + 2).min(area.height));
    let area = area.centered(Constraint::Length(width), Constraint::Length(height));
    frame.render_widget(Clear, area);
    frame.render_widget(
        Paragraph::new(HELP).block(Block::bordered().title(" Help: any key goes back ")),
        area,
    );
}
