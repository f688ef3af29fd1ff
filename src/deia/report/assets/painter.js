// Paints the timeline: an axis, the lanes with what is in them, and below them how much of the rest there is.

const ROW = 20;
const BAR = 16;
const HEADING = 22;
const REST = 30;
const AXIS = 26;
const FONT = "11px system-ui, sans-serif";
const CHARACTER = 6; // The usual width of a character, which is measured for no label: there may be thousands.
const SIGNS = { failed: "✕ ", cancelled: "⊘ ", open: "… ", orphan: "? " };

class Painter {
  constructor(items, data, palette) {
    this.items = items;
    this.palette = palette;
    this.kinds = data.kinds;
    this.path = data.path;
    this.rest = data.rest;
    this.rowTops = [];
    this.headings = [];
    let top = 0;
    for (const [label, rows] of data.groups) {
      this.headings.push([label, top]);
      top += HEADING;
      for (let row = 0; row < rows; row += 1, top += ROW) this.rowTops.push(top);
    }
    this.restTops = data.rest.totals.map(([kind, total]) => {
      const place = top;
      top += HEADING + REST;
      return [kind, total, place];
    });
    this.height = top + 4;
  }

  // Paint what is seen between two places, from `scroll` pixels on.
  paint(context, view, axis, chosen) {
    const { width, height, scroll } = view;
    context.clearRect(0, 0, width, height);
    context.font = FONT;
    context.textBaseline = "middle";
    const x = (place) => ((place - view.from) / (view.to - view.from)) * width;
    this.#pauses(context, view, axis, x);
    context.save();
    context.beginPath();
    context.rect(0, AXIS, width, height - AXIS);
    context.clip();
    context.translate(0, AXIS - scroll);
    this.#headings(context, width);
    this.#bars(context, view, x);
    this.#rest(context, axis, x, width);
    if (chosen >= 0) this.#chosen(context, x, width, chosen);
    context.restore();
    this.#marks(context, view, axis, x);
  }

  // Where an item is: left, top, width, from the top of all lanes.
  box(index, x) {
    const { items } = this;
    const left = x(items.shownStart[index]);
    const width = Math.max(x(items.shownEnd[index]) - left, items.isMoment(index) ? 3 : 1.5);
    return [left, this.rowTops[items.row[index]] + (ROW - BAR) / 2, width];
  }

  #pauses(context, view, axis, x) {
    const colour = this.palette.colour("pause");
    const ink = this.palette.colour("quiet");
    for (const piece of axis.pieces) {
      if (!piece.pause) continue;
      const left = Math.max(x(piece.at), -10);
      const right = Math.min(x(piece.at + piece.shown), view.width + 10);
      if (right <= left) continue;
      context.fillStyle = colour;
      context.fillRect(left, AXIS, right - left, view.height - AXIS);
      const label = `${format.duration((piece.to - piece.from) * this.items.unitMs)}`;
      if (right - left > CHARACTER * label.length + 6) {
        context.fillStyle = ink;
        context.textAlign = "center";
        context.fillText(label, (left + right) / 2, view.height - 10);
        context.textAlign = "left";
      }
    }
  }

  #headings(context, width) {
    context.fillStyle = this.palette.colour("quiet");
    context.strokeStyle = this.palette.colour("line");
    for (const [label, top] of this.headings) this.#heading(context, label, top, width);
    for (const [kind, total, top] of this.restTops) {
      const what = format.plural(total, `further ${NAMES[this.kinds[kind]][0]}`, `further ${NAMES[this.kinds[kind]][1]}`);
      this.#heading(context, `${what}, counted`, top, width);
    }
  }

  #heading(context, label, top, width) {
    context.beginPath();
    context.moveTo(0, top + 0.5);
    context.lineTo(width, top + 0.5);
    context.stroke();
    context.fillText(label, 4, top + HEADING / 2 + 1);
  }

  #bars(context, view, x) {
    const { items, palette } = this;
    const last = view.scroll + view.height;
    const ink = palette.colour("on-bar");
    const bad = palette.colour("error");
    const fills = this.kinds.map((kind) => palette.colour(kind));
    for (let i = 0; i < items.count; i += 1) {
      if (items.row[i] < 0 || items.shownEnd[i] < view.from || items.shownStart[i] > view.to) continue;
      const [left, top, width] = this.box(i, x);
      if (top + BAR < view.scroll || top > last) continue;
      const status = items.statusOf(i);
      context.fillStyle = fills[items.kind[i]];
      const from = Math.max(left, -20);
      const shown = Math.min(left + width, view.width + 20) - from;
      context.fillRect(from, top, shown, BAR);
      if (status === "failed") {
        context.fillStyle = bad;
        context.fillRect(from, top + BAR - 3, shown, 3);
      } else if (status && width > 8) {
        context.strokeStyle = ink;
        context.setLineDash([3, 3]);
        context.strokeRect(from + 1.5, top + 1.5, shown - 3, BAR - 3);
        context.setLineDash([]);
      }
      const labelLeft = Math.max(from, 0) + 4;
      const room = Math.floor((from + shown - labelLeft - 4) / CHARACTER);
      if (room > 3) {
        const label = `${items.isCutBefore(i) ? "◀ " : ""}${SIGNS[status] ?? ""}${items.nameOf(i)}${items.isCutAfter(i) ? " ▶" : ""}`;
        context.fillStyle = ink;
        context.fillText(label.length > room ? `${label.slice(0, room - 1)}…` : label, labelLeft, top + BAR / 2 + 0.5);
      }
    }
  }

  #rest(context, axis, x, width) {
    const { rest } = this;
    const counts = new Map(rest.counts);
    const step = (rest.end - rest.start) / rest.bins;
    for (const [kind, , top] of this.restTops) {
      const bins = counts.get(kind) ?? [];
      const most = Math.max(...bins, 1);
      context.fillStyle = this.palette.colour(this.kinds[kind]);
      bins.forEach((count, bin) => {
        const left = x(axis.shown(rest.start + bin * step));
        const right = x(axis.shown(rest.start + (bin + 1) * step));
        if (!count || right < 0 || left > width) return;
        const height = Math.max(2, (REST - 4) * (count / most));
        context.fillRect(left, top + HEADING + REST - 2 - height, Math.max(1, right - left), height);
      });
    }
  }

  #chosen(context, x, width, chosen) {
    if (this.items.row[chosen] < 0) return;
    const [left, top, wide] = this.box(chosen, x);
    const from = Math.max(left, -20);
    const to = Math.min(left + wide, width + 20);
    context.strokeStyle = this.palette.colour("ink");
    context.lineWidth = 2;
    context.strokeRect(from - 2, top - 2, Math.max(to - from, 2) + 4, BAR + 4);
    context.lineWidth = 1;
  }

  #marks(context, view, axis, x) {
    const { unitMs } = this.items;
    context.fillStyle = this.palette.colour("card");
    context.fillRect(0, 0, view.width, AXIS);
    const perPixel = ((view.to - view.from) * unitMs) / view.width;
    const step = stepFor(perPixel * 90);
    context.fillStyle = this.palette.colour("quiet");
    context.strokeStyle = this.palette.colour("line");
    context.beginPath();
    let free = -1e9;
    for (const piece of axis.pieces) {
      if (piece.pause && axis.folded) continue;
      const first = Math.max(piece.from, axis.real(Math.max(view.from, piece.at)));
      const last = Math.min(piece.to, axis.real(Math.min(view.to, piece.at + piece.shown)));
      for (let mark = Math.ceil((first * unitMs) / step - 1e-9) * step; mark <= last * unitMs; mark += step) {
        const at = x(axis.shown(mark / unitMs));
        if (at < free) continue;
        context.moveTo(at + 0.5, 0);
        context.lineTo(at + 0.5, 16);
        context.fillText(format.offset(mark, step), at + 4, 9);
        free = at + 80;
      }
    }
    context.stroke();
    context.fillStyle = this.palette.colour("path");
    for (const [from, to] of this.path) {
      const left = x(axis.shown(from));
      const right = x(axis.shown(to));
      if (right > 0 && left < view.width) context.fillRect(left, AXIS - 6, Math.max(1, right - left), 4);
    }
  }
}
