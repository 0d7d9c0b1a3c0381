// What a change would do: the gateway replays the requests of the last minutes, and this shows what it says.

import { make } from "./charts.js";
import { ask } from "./feed.js";
import { Table } from "./tables.js";

const RUNS = ["measured", "replayed", "changed"];

const time = (value) => (value === undefined || value === null ? "–" : value.toFixed(value < 10 ? 2 : 1));
const figure = (row, run, at) => row.figures[run].first_token?.[at] ?? null;

/** Lives in that form and shows answers in that place. */
export class WhatIf {
  constructor(form, place) {
    this.form = form;
    this.place = place;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.reckon();
    });
  }

  async reckon() {
    const button = this.form.querySelector("button");
    const query = new URLSearchParams();
    for (const { name, value } of this.form.elements) {
      // Several accounts are parted by blanks.
      const values = name === "weight" ? value.trim().split(/\s+/) : [value.trim()];
      for (const one of values) if (name !== "" && one !== "") query.append(name, one);
    }
    button.disabled = true;
    this.say("status", "Replaying the last minutes …");
    const answer = await ask(`v1/vtc/whatif?${query}`);
    button.disabled = false;
    if (answer.error) this.say("alert", answer.error.message);
    else this.show(answer);
  }

  say(role, text) {
    this.place.replaceChildren(make("p", { role, className: role === "alert" ? "bad" : "muted", textContent: text }));
  }

  show(answer) {
    const words = make("ul", { className: "words" }, ...answer.words.map((word) => make("li", { textContent: word })));
    const place = make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Users with and without the change" });
    this.place.replaceChildren(make("h3", { textContent: `First tokens ${answer.change}` }), words, place);
    const of = (run, at) => ({
      title: ["Measured", "Replayed as it is", "With the change"][run], unit: `${["median", "p99"][at]}, seconds`,
      key: (row) => figure(row, run, at), cell: (row) => time(figure(row, run, at)),
    });
    const whole = (value) => Math.round(value).toLocaleString("en");
    const table = new Table(place, `First tokens by user, ${RUNS.join(", ")}`, [
      { title: "User", text: true, key: (row) => row.user, cell: (row) => row.user },
      { title: "Weight", unit: "share", key: (row) => row.weights[1],
        cell: ({ weights: [now, then] }) => (now === then ? `${now}` : `${now} → ${then}`) },
      { title: "Requests", unit: "that came", key: (row) => row.figures[0].requests, cell: (row) => whole(row.figures[0].requests) },
      { title: "Turned away", unit: "as it is, changed", key: (row) => row.figures[2].refused,
        cell: (row) => `${whole(row.figures[1].refused)}, ${whole(row.figures[2].refused)}` },
      ...[0, 1, 2].flatMap((run) => [of(run, 0), of(run, 1)]),
      { title: "Service", unit: "w. tokens/s, as it is", key: (row) => row.figures[1].service, cell: (row) => whole(row.figures[1].service) },
      { title: "Service", unit: "w. tokens/s, changed", key: (row) => row.figures[2].service, cell: (row) => whole(row.figures[2].service) },
    ], { sort: { index: 2, down: true }, empty: "" });
    table.show([...answer.users, { user: "all together", weights: [1, 1], figures: answer.all }]);
  }
}
