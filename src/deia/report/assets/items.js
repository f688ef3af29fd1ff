// What the timeline and the table show, one column for each property.

class Items {
  constructor(data) {
    const { items, texts, kinds, statuses } = data;
    this.kinds = kinds;
    this.statuses = statuses;
    this.texts = texts;
    this.unitMs = data.unit_ms;
    this.originMs = data.origin_ms;
    this.lastEnd = data.end ?? 0;
    this.endMs = this.lastEnd * data.unit_ms;
    Object.assign(this, items);
    this.count = items.kind.length;
    this.end = items.start.map((start, i) => (start === null ? null : start + items.length[i]));
    this.shownStart = new Float64Array(this.count);
    this.shownEnd = new Float64Array(this.count);
  }

  kindOf = (i) => this.kinds[this.kind[i]];

  statusOf = (i) => this.statuses[this.status[i]];

  nameOf = (i) => this.texts[this.name[i]];

  detailOf = (i) => this.texts[this.detail[i]];

  // Whether it begins before the timeline does, or ends after it.
  isCutBefore = (i) => this.start[i] < 0;

  isCutAfter = (i) => this.end[i] > this.lastEnd;

  isMoment = (i) => this.length[i] === 0;

  // How long it took, milliseconds: as its line claims, else as the timeline has it; null for a moment.
  tookMs = (i) => this.claimed[i] ?? (this.kindOf(i) === "task" || this.length[i] ? this.length[i] * this.unitMs : null);

  momentOf(i) {
    if (this.start[i] === null) return NONE;
    const withDay = this.endMs > 86400e3 || this.isCutBefore(i) || this.isCutAfter(i);
    return format.moment(this.originMs + this.start[i] * this.unitMs, withDay);
  }

  describe(i) {
    const took = this.tookMs(i);
    const parts = [`${NAMES[this.kindOf(i)][0]} ${this.nameOf(i)}`];
    if (took !== null) parts.push(`took ${format.duration(took)}`);
    if (this.statusOf(i)) parts.push(STATES[this.statusOf(i)]);
    if (this.start[i] !== null) {
      const offset = format.duration(Math.abs(this.start[i]) * this.unitMs);
      const side = this.isCutBefore(i) ? "before the timeline begins" : "after the start";
      parts.push(`began ${offset} ${side}, at ${this.momentOf(i)}`);
    }
    if (this.seq[i] !== null) parts.push(`line ${format.count(this.seq[i])}`);
    const what = this.detailOf(i);
    return parts.join(", ") + (what ? `. ${what}` : "");
  }

  // Put everything where an axis has it.
  place(axis) {
    for (let i = 0; i < this.count; i += 1) {
      this.shownStart[i] = this.start[i] === null ? 0 : axis.shown(axis.inside(this.start[i]));
      this.shownEnd[i] = this.end[i] === null ? 0 : axis.shown(axis.inside(this.end[i]));
    }
  }
}

const NAMES = {
  task: ["task", "tasks"],
  tool: ["tool call", "tool calls"],
  model: ["model call", "model calls"],
  file: ["file operation", "file operations"],
  message: ["message", "messages"],
  error: ["error", "errors"],
  decision: ["decision", "decisions"],
  action: ["action item", "action items"],
  session: ["note on the recording", "notes on the recording"],
  other: ["other event", "other events"],
};

const STATES = { failed: "failed", cancelled: "was cancelled", open: "did not end", orphan: "has no start" };
