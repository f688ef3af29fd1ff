// From a moment of the session to its place on the timeline, where long pauses may be folded.

const FOLDED_SHARE = 0.03; // A pause of this part of the session may be folded …
const FOLDED_TO = 0.015; // … to this part of what is left without such pauses.

class Axis {
  constructor(end, pauses) {
    this.end = Math.max(end, 1e-6);
    this.pauses = [];
    let last = 0;
    for (const [from, until, kind] of pauses) {
      const begin = Math.max(from, last);
      const to = Math.min(until, this.end);
      if (to - begin > FOLDED_SHARE * this.end) {
        this.pauses.push({ from: begin, to, kind });
        last = to;
      }
    }
    this.fold(false);
  }

  // How much of the session could be folded, 0 to 1.
  get foldable() {
    return this.pauses.reduce((sum, pause) => sum + pause.to - pause.from, 0) / this.end;
  }

  fold(folded) {
    this.folded = folded;
    const busy = this.end * (1 - this.foldable);
    const narrow = Math.max(FOLDED_TO * busy, this.end * 1e-9);
    this.pieces = [];
    let at = 0;
    let from = 0;
    const add = (to, shown, pause) => {
      if (to <= from) return;
      this.pieces.push({ from, to, at, shown, pause });
      at += shown;
      from = to;
    };
    for (const pause of this.pauses) {
      add(pause.from, pause.from - from, null);
      add(pause.to, folded ? narrow : pause.to - pause.from, pause);
    }
    add(this.end, this.end - from, null);
    this.length = at;
  }

  // What is before or after it all is at its edge.
  inside(time) {
    return Math.min(Math.max(time, 0), this.end);
  }

  shown(time) {
    const piece = this.#find((one) => time < one.to);
    return piece.at + ((time - piece.from) * piece.shown) / (piece.to - piece.from);
  }

  real(place) {
    const piece = this.#find((one) => place < one.at + one.shown);
    return piece.from + ((place - piece.at) * (piece.to - piece.from)) / piece.shown;
  }

  #find(isIn) {
    return this.pieces.find(isIn) ?? this.pieces[this.pieces.length - 1];
  }
}

// Marks of an axis: the smallest step of these, in milliseconds, that leaves them far enough apart.
const STEPS = (() => {
  const steps = [];
  for (let power = 1e-3; power < 1000; power *= 10) steps.push(power, 2 * power, 5 * power);
  const [second, minute, hour, day] = [1e3, 60e3, 3600e3, 86400e3];
  steps.push(...[1, 2, 5, 10, 15, 30].map((n) => n * second), ...[1, 2, 5, 10, 15, 30].map((n) => n * minute));
  steps.push(...[1, 2, 3, 6, 12].map((n) => n * hour), ...[1, 2, 7, 14, 30, 90, 365].map((n) => n * day));
  return steps;
})();

function stepFor(leastMs) {
  return STEPS.find((step) => step >= leastMs) ?? 10 ** Math.ceil(Math.log10(leastMs));
}
