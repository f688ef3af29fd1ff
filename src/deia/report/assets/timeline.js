// The timeline: what is seen of it, and how hands move it, on a keyboard, a mouse or a screen.

const ZOOM = 1.6;
const MOVE = 0.15;
const CLICK = 4; // Pixels that a hand may shake in a click.

class Timeline {
  constructor(root, items, data, palette, onShow) {
    this.items = items;
    this.axis = new Axis(data.end ?? 0, data.pauses);
    this.painter = new Painter(items, data, palette);
    this.palette = palette;
    this.chosen = -1;
    this.root = root;
    this.lanes = root.querySelector(".lanes");
    this.canvas = root.querySelector(".lanes-canvas");
    this.overview = root.querySelector(".overview");
    this.window = root.querySelector(".window");
    this.tip = root.querySelector(".tip");
    this.pointers = new Map();
    this.view = { from: 0, to: this.axis.length, width: 1, height: 1, scroll: 0 };
    this.actions = {
      "zoom-in": () => this.zoom(1 / ZOOM),
      "zoom-out": () => this.zoom(ZOOM),
      all: () => this.show(0, this.axis.length),
      left: () => this.move(-MOVE),
      right: () => this.move(MOVE),
      previous: () => this.step(-1),
      next: () => this.step(1),
      fold: () => this.fold(!this.axis.folded),
      show: () => onShow(this.chosen),
    };
    for (const button of root.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => this.actions[button.dataset.do]());
    }
    const fold = root.querySelector("[data-do=fold]");
    fold.hidden = this.axis.pauses.length === 0;
    this.#legend(root.querySelector(".legend"), data);
    this.#listen();
    // Where most of a session is waiting, the work in it is what one wants to see.
    this.fold(this.axis.foldable > 0.4);
    this.resize();
    new ResizeObserver(() => this.resize()).observe(this.lanes);
  }

  #legend(list, data) {
    const there = new Set(this.items.kind);
    data.kinds.forEach((kind, number) => {
      if (!there.has(number)) return;
      const entry = element("li", NAMES[kind][1]);
      entry.prepend(element("span", "", `dot ${kind}`));
      list.append(entry);
    });
    if (data.path.length) {
      const entry = element("li", "critical path");
      entry.prepend(element("span", "", "dot path"));
      list.append(entry);
    }
  }

  #listen() {
    const { lanes, overview } = this;
    lanes.addEventListener("keydown", (event) => this.#key(event));
    lanes.addEventListener("scroll", () => this.draw());
    lanes.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    lanes.addEventListener("pointerdown", (event) => this.#down(event));
    lanes.addEventListener("pointermove", (event) => this.#moved(event));
    lanes.addEventListener("pointerup", (event) => this.#up(event));
    lanes.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    lanes.addEventListener("pointerleave", () => this.#hint(-1));
    lanes.addEventListener("dblclick", () => this.zoomToChosen());
    overview.addEventListener("pointerdown", (event) => this.#grab(event));
  }

  // What is seen

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, this.lanes.clientWidth);
    const all = this.painter.height + AXIS;
    const most = parseFloat(getComputedStyle(this.lanes).maxHeight) - 2; // its borders
    const height = Math.min(all, most || all);
    Object.assign(this.view, { width, height });
    for (const [canvas, high] of [[this.canvas, height], [this.overview.querySelector("canvas"), 40]]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(high * ratio);
      canvas.style.height = `${high}px`;
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.lanes.querySelector(".spacer").style.height = `${Math.max(0, all - height)}px`;
    this.#paintOverview();
    this.draw(true);
  }

  recolour() {
    this.#paintOverview();
    this.draw(true);
  }

  // Paint, at once or with the next frame.
  draw(now = false) {
    const paint = () => {
      this.drawing = false;
      this.view.scroll = this.lanes.scrollTop;
      this.painter.paint(this.canvas.getContext("2d"), this.view, this.axis, this.chosen);
      const { from, to } = this.view;
      this.window.style.left = `${(100 * from) / this.axis.length}%`;
      this.window.style.width = `${(100 * (to - from)) / this.axis.length}%`;
      this.root.dataset.from = String(this.axis.real(from));
      this.root.dataset.to = String(this.axis.real(to));
    };
    if (now) paint();
    else if (!this.drawing) {
      this.drawing = true;
      requestAnimationFrame(paint);
    }
  }

  #paintOverview() {
    const context = this.overview.querySelector("canvas").getContext("2d");
    const { items, painter, view } = this;
    const scale = 36 / Math.max(painter.height, 1);
    context.clearRect(0, 0, view.width, 40);
    for (let i = 0; i < items.count; i += 1) {
      if (items.row[i] < 0) continue;
      const left = (items.shownStart[i] / this.axis.length) * view.width;
      const right = (items.shownEnd[i] / this.axis.length) * view.width;
      context.fillStyle = this.palette.colour(painter.kinds[items.kind[i]]);
      context.fillRect(left, 2 + painter.rowTops[items.row[i]] * scale, Math.max(1, right - left), Math.max(1.5, BAR * scale));
    }
  }

  fold(folded) {
    const [first, last] = [this.axis.real(this.view.from), this.axis.real(this.view.to)];
    this.axis.fold(folded);
    this.items.place(this.axis);
    this.root.querySelector("[data-do=fold]").setAttribute("aria-pressed", String(folded));
    this.#paintOverview();
    this.show(this.axis.shown(first), this.axis.shown(last));
  }

  show(from, to) {
    const least = Math.max(this.axis.length * 1e-7, 1e-3);
    const length = Math.min(Math.max(to - from, least), this.axis.length);
    this.view.from = Math.min(Math.max(0, from), this.axis.length - length);
    this.view.to = this.view.from + length;
    this.draw();
  }

  zoom(by, at = this.#centre()) {
    const { from, to } = this.view;
    this.show(at - (at - from) * by, at + (to - at) * by);
  }

  move(by) {
    const length = this.view.to - this.view.from;
    this.show(this.view.from + by * length, this.view.to + by * length);
  }

  #centre() {
    const { from, to } = this.view;
    const { items, chosen } = this;
    if (chosen >= 0 && items.shownStart[chosen] <= to && items.shownEnd[chosen] >= from) {
      return (Math.max(from, items.shownStart[chosen]) + Math.min(to, items.shownEnd[chosen])) / 2;
    }
    return (from + to) / 2;
  }

  // What is chosen

  choose(index, bring = true) {
    this.chosen = index;
    this.root.querySelector(".chosen").textContent =
      index < 0 ? "Choose an event to see what it was." : this.items.describe(index);
    this.root.querySelector("[data-do=show]").hidden = index < 0;
    if (index >= 0 && bring && this.items.row[index] >= 0) this.#bring(index);
    this.draw();
  }

  #bring(index) {
    const { from, to } = this.view;
    const { shownStart, shownEnd, row } = this.items;
    if (shownEnd[index] < from || shownStart[index] > to) {
      const middle = (shownStart[index] + shownEnd[index]) / 2;
      this.show(middle - (to - from) / 2, middle + (to - from) / 2);
    }
    const top = this.painter.rowTops[row[index]];
    const room = this.view.height - AXIS;
    if (top < this.lanes.scrollTop) this.lanes.scrollTop = top - ROW;
    else if (top + ROW > this.lanes.scrollTop + room) this.lanes.scrollTop = top + 2 * ROW - room;
  }

  zoomToChosen() {
    if (this.chosen < 0) return;
    const { shownStart, shownEnd } = this.items;
    const length = Math.max(shownEnd[this.chosen] - shownStart[this.chosen], (this.view.to - this.view.from) / 10);
    this.show(shownStart[this.chosen] - length / 8, shownStart[this.chosen] + length * 1.125);
  }

  // Choose the item before or after, in time; at first, one of those that are seen.
  step(by) {
    const { items, view } = this;
    let i = this.chosen;
    if (i < 0) {
      const seen = (one) => items.row[one] >= 0 && items.shownEnd[one] >= view.from && items.shownStart[one] <= view.to;
      const all = [...items.row.keys()].filter(seen);
      if (all.length) this.choose(by > 0 ? all[0] : all[all.length - 1]);
      return;
    }
    do i += by;
    while (i >= 0 && i < items.count && items.row[i] < 0);
    if (i >= 0 && i < items.count) this.choose(i);
  }

  // Choose what is nearest in the next lane, above or below, that has anything.
  stepLane(by) {
    if (this.chosen < 0) {
      this.step(1);
      return;
    }
    const { items, chosen } = this;
    const middle = (items.shownStart[chosen] + items.shownEnd[chosen]) / 2;
    let best = -1;
    let bestRow = Infinity;
    let bestAway = Infinity;
    for (let i = 0; i < items.count; i += 1) {
      const rows = (items.row[i] - items.row[chosen]) * by;
      if (items.row[i] < 0 || rows <= 0 || rows > bestRow) continue;
      const away = Math.max(items.shownStart[i] - middle, middle - items.shownEnd[i], 0);
      if (rows < bestRow || away < bestAway) [best, bestRow, bestAway] = [i, rows, away];
    }
    if (best >= 0) this.choose(best);
  }

  // Hands

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const scroll = (by) => () => {
      this.lanes.scrollTop += by * ROW * 3;
    };
    const plain = {
      ArrowLeft: this.actions.left,
      ArrowRight: this.actions.right,
      ArrowUp: scroll(-1),
      ArrowDown: scroll(1),
      "+": this.actions["zoom-in"],
      "=": this.actions["zoom-in"],
      "-": this.actions["zoom-out"],
      "−": this.actions["zoom-out"],
      0: this.actions.all,
      Home: () => this.show(0, this.view.to - this.view.from),
      End: () => this.show(this.axis.length - (this.view.to - this.view.from), this.axis.length),
      Enter: () => this.zoomToChosen(),
      Escape: () => this.choose(-1),
    };
    const shifted = {
      ArrowLeft: this.actions.previous,
      ArrowRight: this.actions.next,
      ArrowUp: () => this.stepLane(-1),
      ArrowDown: () => this.stepLane(1),
    };
    const keys = event.shiftKey ? { ...plain, ...shifted } : plain;
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  }

  #wheel(event) {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!event.ctrlKey && !event.metaKey && !sideways) return; // that scrolls the lanes, or the page
    event.preventDefault();
    if (sideways) this.move(event.deltaX / this.view.width);
    else this.zoom(Math.exp(event.deltaY * 0.004), this.#place(event.offsetX));
  }

  #place(x) {
    return this.view.from + (x / this.view.width) * (this.view.to - this.view.from);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, event);
    this.shift = 0;
    this.lanes.setPointerCapture(event.pointerId);
  }

  #moved(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.#hint(this.#at(event), event);
      return;
    }
    const others = [...this.pointers.values()].filter((other) => other.pointerId !== event.pointerId);
    if (others.length) {
      const [wasApart, apart] = [before, event].map((one) => Math.abs(one.clientX - others[0].clientX));
      if (wasApart > 1 && apart > 1) this.zoom(wasApart / apart);
      this.shift = Infinity;
    } else {
      const by = before.clientX - event.clientX;
      this.shift += Math.abs(by);
      if (this.shift > CLICK) this.move(by / this.view.width);
    }
    this.pointers.set(event.pointerId, event);
  }

  #up(event) {
    if (!this.pointers.delete(event.pointerId) || this.shift > CLICK) return;
    this.choose(this.#at(event), false);
  }

  // The item under a pointer; of several the last, which is painted over the others.
  #at(event) {
    const area = this.canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - area.left, event.clientY - area.top - AXIS + this.lanes.scrollTop];
    const x = (place) => ((place - this.view.from) / (this.view.to - this.view.from)) * this.view.width;
    let found = -1;
    for (let i = 0; i < this.items.count; i += 1) {
      if (this.items.row[i] < 0) continue;
      const [left, top, width] = this.painter.box(i, x);
      if (py >= top && py < top + BAR && px >= left - 2 && px <= left + width + 2) found = i;
    }
    return found;
  }

  #hint(index, event) {
    this.tip.hidden = index < 0;
    if (index < 0) return;
    this.tip.textContent = this.items.describe(index);
    const area = this.root.getBoundingClientRect();
    const left = Math.min(event.clientX - area.left + 12, area.width - this.tip.offsetWidth);
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${event.clientY - area.top + 16}px`;
  }

  // Drag over the overview to see that part of the session.
  #grab(event) {
    const area = this.overview.getBoundingClientRect();
    const place = (one) => ((one.clientX - area.left) / area.width) * this.axis.length;
    const first = place(event);
    const length = this.view.to - this.view.from;
    this.show(first - length / 2, first + length / 2);
    this.overview.setPointerCapture(event.pointerId);
    const drag = (one) => {
      const now = place(one);
      if (Math.abs(one.clientX - event.clientX) > CLICK) this.show(Math.min(first, now), Math.max(first, now));
    };
    this.overview.addEventListener("pointermove", drag);
    this.overview.addEventListener("pointerup", () => this.overview.removeEventListener("pointermove", drag), { once: true });
  }
}
