// The table of events: searched, filtered, sorted, and shown a page at a time.

const NAMED = 5; // Names of what has no row that a search tells.
const ROWS = 100; // More at once is slow to lay out, and nobody reads it.

class EventTable {
  constructor(root, items, data, onShow) {
    this.root = root;
    this.items = items;
    this.total = data.total;
    // Of what is only counted: kind, name in small letters, name, how many.
    this.counted = data.rest_names.map(([kind, name, count]) => [kind, items.texts[name].toLowerCase(), items.texts[name], count]);
    this.onShow = onShow;
    this.form = root.querySelector("form");
    this.body = root.querySelector("tbody");
    this.sorting = { key: "start", down: false };
    this.page = 0;
    this.texts = null;
    const kinds = [...new Set(items.kind)].sort((a, b) => a - b);
    for (const kind of kinds) {
      const option = element("option", NAMES[items.kinds[kind]][1]);
      option.value = String(kind);
      this.form.elements.kind.append(option);
    }
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => this.filter());
    for (const button of root.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => this.sortBy(button.dataset.sort));
    }
    for (const button of root.querySelectorAll("[data-page]")) {
      button.addEventListener("click", () => this.turn(Number(button.dataset.page)));
    }
    this.filter();
  }

  // Look for a name, as if it had been typed.
  find(name) {
    this.form.reset();
    this.form.elements.search.value = name;
    this.filter();
    this.root.scrollIntoView();
    this.form.elements.search.focus({ preventScroll: true });
  }

  // Show the row of one item, whatever was searched for.
  reveal(index) {
    this.form.reset();
    this.filter();
    this.page = Math.floor(this.order.indexOf(index) / ROWS);
    this.render();
    const row = this.body.querySelector(`tr[data-index="${index}"]`);
    row.tabIndex = -1;
    row.focus();
    row.scrollIntoView({ block: "center" });
  }

  // What is seen of it, as `show` takes it on a page that was made anew.
  get shown() {
    const { search, kind, trouble } = this.form.elements;
    const { sorting, page } = this;
    return { search: search.value, kind: kind.value, trouble: trouble.checked, sorting, page };
  }

  show({ search, kind, trouble, sorting, page }) {
    const { elements } = this.form;
    elements.search.value = search;
    elements.kind.value = [...elements.kind.options].some((option) => option.value === kind) ? kind : "";
    elements.trouble.checked = trouble;
    this.sorting = sorting;
    this.filter();
    this.turn(page);
  }

  filter() {
    const { items } = this;
    this.texts ??= Array.from({ length: items.count }, (_, i) => this.#textOf(i));
    const search = this.form.elements.search.value.trim().toLowerCase();
    const words = search.split(/\s+/);
    const kind = this.form.elements.kind.value;
    const trouble = this.form.elements.trouble.checked;
    this.#sayWhatIsSearched(search, words, kind, trouble);
    this.order = [];
    for (let i = 0; i < items.count; i += 1) {
      if (kind !== "" && items.kind[i] !== Number(kind)) continue;
      if (trouble && !items.statusOf(i)) continue;
      if (search && !this.#matches(i, search, words)) continue;
      this.order.push(i);
    }
    this.page = 0;
    this.#sort();
    this.render();
  }

  sortBy(key) {
    // Times and names from the first, durations from the longest; the second time the other way round.
    const down = key === this.sorting.key ? !this.sorting.down : key === "length";
    this.sorting = { key, down };
    this.page = 0;
    this.#sort();
    this.render();
  }

  turn(by) {
    this.page += by;
    this.render();
  }

  render() {
    const pages = Math.max(1, Math.ceil(this.order.length / ROWS));
    this.page = Math.min(Math.max(0, this.page), pages - 1);
    const shown = this.order.slice(this.page * ROWS, (this.page + 1) * ROWS);
    this.body.replaceChildren(...shown.map((i) => this.#row(i)));
    const found = `${format.count(this.order.length)} of ${format.plural(this.items.count, "row")}`;
    const first = this.page * ROWS;
    const seen = `, ${format.count(first + 1)} to ${format.count(first + shown.length)} shown`;
    this.root.querySelector(".found").textContent = pages > 1 ? `${found}${seen}.` : `${found}.`;
    this.root.querySelector(".pager").hidden = pages === 1;
    this.root.querySelector(".scroll").hidden = shown.length === 0;
    this.root.querySelector(".page").textContent = `Page ${format.count(this.page + 1)} of ${format.count(pages)}`;
    for (const button of this.root.querySelectorAll("[data-page]")) {
      button.disabled = button.dataset.page === "1" ? this.page >= pages - 1 : this.page === 0;
    }
    for (const button of this.root.querySelectorAll("[data-sort]")) {
      const mine = button.dataset.sort === this.sorting.key;
      const heading = button.parentElement;
      if (mine) heading.setAttribute("aria-sort", this.sorting.down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
  }

  // On a page of a long session: in how much of it the search looks, and what it finds of the rest, which has no rows.
  #sayWhatIsSearched(search, words, kind, trouble) {
    const { items, total } = this;
    const place = this.root.querySelector(".searched");
    const others = total - items.count;
    place.hidden = others <= 0;
    if (others <= 0) return;
    const what =
      `There are rows for ${format.count(items.count)} of ${format.count(total)} events: what failed or did not end, then what took ` +
      `longest. The other ${format.count(others)} are counted by name, and a search finds them by that alone.`;
    if (!search || trouble) {
      place.textContent = what;
      return;
    }
    const found = this.counted.filter(([one, name]) => (kind === "" || one === Number(kind)) && words.every((word) => name.includes(word)));
    const most = found.sort((a, b) => b[3] - a[3]).slice(0, NAMED);
    const named = most.map(([one, , name, count]) => `${format.plural(count, ...NAMES[items.kinds[one]])} “${name}”`);
    const more = found.length > NAMED ? `, and ${format.plural(found.length - NAMED, "further name")}` : "";
    place.textContent = `${what} ${named.length ? `Of those, this finds ${named.join(", ")}${more}.` : this.#none(others)}`;
  }

  #none(others) {
    const named = this.counted.reduce((sum, [, , , count]) => sum + count, 0);
    const kept = named < others ? ` of the ${format.count(this.counted.length)} names that are kept` : "";
    return `Of those, this finds none${kept}.`;
  }

  #textOf(i) {
    const { items } = this;
    return `${items.nameOf(i)} ${items.detailOf(i)} ${items.kindOf(i)} ${items.statusOf(i)}`.toLowerCase();
  }

  #matches(i, search, words) {
    if (words.every((word) => this.texts[i].includes(word))) return true;
    const name = this.items.nameOf(i).toLowerCase();
    return name.endsWith("…") && name.length > 1 && search.startsWith(name.slice(0, -1)); // a name that was cut
  }

  #sort() {
    const { items } = this;
    const { key, down } = this.sorting;
    const value = {
      start: (i) => items.start[i] ?? Infinity,
      kind: (i) => items.kind[i],
      name: (i) => items.nameOf(i),
      length: (i) => items.tookMs(i) ?? -1,
      status: (i) => items.statusOf(i) || "~",
    }[key];
    const keys = new Map(this.order.map((i) => [i, value(i)]));
    const sign = down ? -1 : 1;
    this.order.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * sign || a - b;
    });
  }

  #row(i) {
    const { items } = this;
    const row = element("tr", "", items.statusOf(i));
    row.dataset.index = String(i);
    const time = element("td", "", "number");
    if (items.row[i] < 0) time.textContent = items.momentOf(i);
    else {
      const button = element("button", items.momentOf(i), "find");
      button.type = "button";
      button.title = "Show it on the timeline";
      button.addEventListener("click", () => this.onShow(i));
      time.append(button);
    }
    const kind = element("td", "", "kind");
    kind.append(element("span", "", `dot ${items.kindOf(i)}`), items.kindOf(i));
    const took = items.tookMs(i);
    row.append(
      time,
      kind,
      element("td", items.nameOf(i), "name"),
      element("td", took === null ? NONE : format.duration(took), "number"),
      element("td", items.statusOf(i)),
      element("td", items.detailOf(i), "detail"),
    );
    return row;
  }
}
