// What the timeline and the table show, one column for each property.

class Items {
  constructor(data) {
    const { items, texts, kinds, statuses } = data;
    this.kinds = kinds;
    this.statuses = statuses;
    this.texts = texts;
    this.unitMs = data.unit_ms;
    this.originMs = data.origin_ms;
    this.endMs = (data.end ?? 0) * data.unit_ms;
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

  isMoment = (i) => this.length[i] === 0;

  // How long it took, milliseconds: as its line claims, else as the timeline has it; null for a moment.
  tookMs = (i) => this.claimed[i] ?? (this.kindOf(i) === "task" || this.length[i] ? this.length[i] * this.unitMs : null);

  momentOf(i) {
    if (this.start[i] === null) return NONE;
    return format.moment(this.originMs + this.start[i] * this.unitMs, this.endMs > 86400e3);
  }

  describe(i) {
    const took = this.tookMs(i);
    const parts = [`${NAMES[this.kindOf(i)][0]} ${this.nameOf(i)}`];
    if (took !== null) parts.push(`took ${format.duration(took)}`);
    if (this.statusOf(i)) parts.push(STATES[this.statusOf(i)]);
    if (this.start[i] !== null) {
      parts.push(`began ${format.duration(this.start[i] * this.unitMs)} after the start, at ${this.momentOf(i)}`);
    }
    if (this.seq[i] !== null) parts.push(`line ${format.count(this.seq[i])}`);
    const what = this.detailOf(i);
    return parts.join(", ") + (what ? `. ${what}` : "");
  }

  // Put everything where an axis has it.
  place(axis) {
    for (let i = 0; i < this.count; i += 1) {
      this.shownStart[i] = this.start[i] === null ? 0 : axis.shown(this.start[i]);
      this.shownEnd[i] = this.end[i] === null ? 0 : axis.shown(this.end[i]);
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
