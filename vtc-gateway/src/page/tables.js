// Tables that can be sorted, and keep their place while their rows change.

import { make } from "./charts.js";

export class Table {
  /** `columns`: title, unit, key (of what it is sorted by), cell (the node or text of a row), text (flush left), long. */
  constructor(place, caption, columns, { sort = null, empty }) {
    this.columns = columns;
    this.sort = sort;
    this.empty = make("p", { className: "empty", textContent: empty });
    this.body = make("tbody");
    this.heads = columns.map((column, index) => this.head(column, index));
    this.table = make("table", {}, make("caption", { textContent: caption }),
      make("thead", {}, make("tr", {}, ...this.heads)), this.body);
    place.replaceChildren(this.table, this.empty);
    this.mark();
  }

  head(column, index) {
    const title = this.sort !== null && column.key
      ? make("button", { type: "button", textContent: column.title, onclick: () => this.by(index) })
      : column.title;
    const unit = column.unit ? make("span", { className: "unit", textContent: column.unit }) : null;
    return make("th", { scope: "col", className: column.text ? "text" : "" }, title, unit);
  }

  by(index) {
    const same = this.sort.index === index;
    this.sort = { index, down: same ? !this.sort.down : !this.columns[index].text };
    this.mark();
    this.show(this.rows);
  }

  mark() {
    if (this.sort === null) return;
    this.heads.forEach((head, index) => {
      if (index === this.sort.index) head.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  show(rows) {
    this.rows = rows;
    let shown = rows;
    if (this.sort !== null) {
      const { key } = this.columns[this.sort.index];
      const order = (a, b) => (typeof a === "string" ? a.localeCompare(b) : (a ?? -1) - (b ?? -1));
      shown = [...rows].sort((a, b) => (this.sort.down ? order(key(b), key(a)) : order(key(a), key(b))));
    }
    // Rows are reused, so that what has the focus keeps it.
    while (this.body.rows.length > shown.length) this.body.lastChild.remove();
    shown.forEach((row, at) => {
      const line = this.body.rows[at] ?? this.body.appendChild(make("tr", {}, ...this.columns.map(({ text, long }) =>
        make("td", { className: `${text ? "text" : ""}${long ? " long" : ""}` }))));
      this.columns.forEach(({ cell, link }, index) => {
        const place = line.cells[index];
        const content = cell(row);
        if (link) fill(place, content, link, row);
        else if (place.textContent !== content) place.textContent = content;
        if (typeof content === "string" && !link) place.title = content;
      });
    });
    this.table.hidden = shown.length === 0;
    this.empty.hidden = shown.length > 0;
  }
}

/** A link or a button in a cell: the one that is there, if there is one. */
function fill(place, content, link, row) {
  const target = link(row);
  let node = place.firstElementChild;
  if (node === null) {
    node = place.appendChild(typeof target === "string" ? make("a") : make("button", { type: "button" }));
  }
  if (node.textContent !== content) node.textContent = content;
  node.title = content;
  if (typeof target === "string") node.setAttribute("href", target);
  else node.onclick = target;
}
