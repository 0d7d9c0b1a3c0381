// Charts over the last minutes, drawn by hand: time to the right, labelled axes with their units.

/** How far back they go at most, in seconds; at first a minute. */
export const SPAN = 180;
/** Between two snapshots that are further apart nothing was seen, in milliseconds. */
const GAP = 4000;
const LEFT = 48;
const BOTTOM = 20;
const TOP = 24;
const RIGHT = 10;

/** An element with these properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A number with at most three digits that matter. */
export function short(number) {
  if (number === null || number === undefined || !Number.isFinite(number)) return "–";
  const size = Math.abs(number);
  const [scale, letter] = size >= 999.5e6 ? [1e9, "G"] : size >= 999.5e3 ? [1e6, "M"] : size >= 9999.5 ? [1e3, "k"] : [1, ""];
  const scaled = number / scale;
  const digits = size === 0 || Math.abs(scaled) >= 99.5 ? 0 : Math.abs(scaled) >= 9.95 ? 1 : 2;
  const text = scaled.toFixed(digits);
  return (digits > 0 ? text.replace(/\.?0+$/, "") : text) + letter;
}

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Steps of 1, 2 or 5 times a power of ten, some four of them. */
function step(top) {
  const rough = top / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
}

export class Chart {
  /** `options`: title, unit, stacked, top (of the axis, where it is fixed). */
  constructor(figure, options) {
    this.options = options;
    this.series = [];
    this.times = [];
    this.at = null;
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    this.note = make("span", { className: "muted" });
    this.legend = make("ul", { className: "legend" });
    const title = make("h3", { textContent: options.title });
    figure.replaceChildren(make("figcaption", {}, title, this.note), this.canvas, this.legend);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.canvas.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
  }

  /** `series`: name, color (a variable of the style), values (one for each time, null where there is none), dashed. */
  show(times, series, note = "") {
    this.times = times;
    this.series = series;
    this.note.textContent = note;
    this.draw();
  }

  /** How far back it goes now, in milliseconds. */
  span() {
    const seen = (this.times.at(-1) ?? 0) - (this.times[0] ?? 0);
    return seen > 60_000 ? SPAN * 1000 : 60_000;
  }

  point(x) {
    this.at = null;
    if (x !== null && this.times.length > 0) {
      const wide = this.canvas.clientWidth - LEFT - RIGHT;
      const time = this.times.at(-1) - this.span() * (1 - (x - LEFT) / wide);
      const distance = (index) => Math.abs(this.times[index] - time);
      this.at = this.times.reduce((best, _, index) => (distance(index) < distance(best) ? index : best), 0);
    }
    this.draw();
  }

  draw() {
    const { canvas, series, times, options } = this;
    const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
    if (wide === 0 || high === 0) return;
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, high);
    pen.font = "11px system-ui, sans-serif";
    const stacks = options.stacked ? stack(series, times.length) : series.map((one) => one.values);
    const most = Math.max(0, ...stacks.flat().filter((value) => value !== null));
    const top = options.top ?? (most > 0 ? most * 1.05 : 1);
    const now = times.at(-1) ?? 0;
    const x = (time) => LEFT + (wide - LEFT - RIGHT) * (1 - (now - time) / this.span());
    const y = (value) => high - BOTTOM - (high - BOTTOM - TOP) * Math.min(value / top, 1);
    this.axes(pen, { wide, high, top, x, y, now });
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, wide - LEFT - RIGHT + 1, high - BOTTOM + 1);
    pen.clip();
    // The highest first: those below are painted over it.
    for (let index = stacks.length - 1; index >= 0; index -= 1) {
      for (const run of runs(times, stacks[index])) this.line(pen, run, series[index], x, y);
    }
    if (this.at !== null) {
      pen.fillStyle = css("--soft");
      pen.fillRect(Math.round(x(times[this.at])), TOP, 1, high - BOTTOM - TOP);
    }
    pen.restore();
    this.tell();
  }

  axes(pen, { wide, high, top, x, y, now }) {
    pen.fillStyle = css("--soft");
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.fillText(this.options.unit, 2, 1);
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const size = step(top);
    for (let value = 0; value <= top * 1.0001; value += size) {
      const level = Math.round(y(value)) + 0.5;
      pen.fillStyle = css("--grid");
      pen.fillRect(LEFT, level, wide - LEFT - RIGHT, 1);
      pen.fillStyle = css("--soft");
      pen.fillText(short(Number(value.toPrecision(6))), LEFT - 6, level);
    }
    pen.textBaseline = "bottom";
    const span = this.span();
    const [part, name] = span > 60_000 ? [60_000, (time) => `−${time / 60_000} min`] : [20_000, (time) => `−${time / 1000} s`];
    for (let ago = 0; ago <= span; ago += part) {
      pen.textAlign = ago === 0 ? "right" : ago === span ? "left" : "center";
      pen.fillText(ago === 0 ? "now" : name(ago), x(now - ago), high - 2);
    }
  }

  line(pen, run, { color, dashed }, x, y) {
    pen.beginPath();
    run.forEach(([time, value], index) => pen[index === 0 ? "moveTo" : "lineTo"](x(time), y(value)));
    if (this.options.stacked) {
      pen.lineTo(x(run.at(-1)[0]), y(0));
      pen.lineTo(x(run[0][0]), y(0));
      pen.closePath();
      pen.fillStyle = css(color);
      pen.fill();
    } else {
      pen.setLineDash(dashed ? [5, 4] : []);
      pen.lineWidth = 1.75;
      pen.lineJoin = "round";
      pen.strokeStyle = css(color);
      pen.stroke();
      pen.setLineDash([]);
      if (run.length === 1) pen.fillRect(x(run[0][0]) - 1, y(run[0][1]) - 1, 3, 3);
    }
  }

  /** The legend with its values, and the same in words for those who do not see the picture. */
  tell() {
    const at = this.at ?? this.times.length - 1;
    const items = this.series.map(({ name, color, values, dashed }) => {
      const dot = make("span", { className: "dot" });
      dot.style.background = `var(${color})`;
      if (dashed) dot.style.height = "3px";
      const value = short(values[at]);
      return [name, value, make("li", {}, dot, make("span", { className: "name", textContent: name, title: name }),
        make("span", { className: "value", textContent: value }))];
    });
    this.legend.replaceChildren(...items.map(([, , item]) => item));
    const words = items.map(([name, value]) => `${name} ${value}`).join(", ");
    this.canvas.setAttribute("aria-label", `${this.options.title}, ${this.options.unit}: ${words || "nothing yet"}`);
  }
}

/** Each on top of those before it. */
function stack(series, length) {
  const sums = new Array(length).fill(0);
  return series.map(({ values }) => values.map((value, index) => {
    if (value === null) return null;
    sums[index] += Math.max(0, value);
    return sums[index];
  }));
}

/** The stretches in which something was seen. */
function runs(times, values) {
  const found = [];
  let run = null;
  values.forEach((value, index) => {
    if (value === null || value === undefined || (index > 0 && times[index] - times[index - 1] > GAP)) run = null;
    if (value === null || value === undefined) return;
    if (run === null) found.push((run = []));
    run.push([times[index], value]);
  });
  return found;
}
