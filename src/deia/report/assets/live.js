// On a page that `deia serve` shows: load it anew when there is something new, and come back to where one was.

function follow(timeline, table) {
  const root = document.documentElement;
  const place = document.querySelector(".live");
  let stream = null;
  let pending = false;

  const say = (text, state) => {
    place.firstElementChild.textContent = text;
    place.dataset.state = state;
  };

  // Kept with the entry in the browser's history, which outlives the page, comes back with it, and is of no other tab.
  const keep = () => {
    const kept = { ...placeOnPage(), theme: root.dataset.theme, table: table?.shown };
    if (timeline) {
      const { axis, view, lanes, items } = timeline;
      kept.folded = axis.folded;
      kept.top = lanes.scrollTop;
      kept.chosen = items.seq[timeline.chosen];
      if (view.to - view.from < axis.length * 0.999) kept.seen = [axis.real(view.from), axis.real(view.to)];
    }
    history.replaceState(kept, "");
  };

  const comeBack = (kept) => {
    const { theme, folded, top, seen, chosen } = kept;
    if (theme) document.querySelector(`input[name=theme][value=${theme}]`)?.click();
    if (timeline) {
      if (timeline.axis.folded !== folded) timeline.fold(folded);
      if (seen) timeline.show(...seen.map((time) => timeline.axis.shown(time)));
      if (chosen != null) timeline.choose(timeline.items.seq.indexOf(chosen), false);
      timeline.lanes.scrollTop = top;
    }
    if (kept.table) table?.show(kept.table);
    returnTo(kept);
    // Where the address names a section, the browser goes there once everything is loaded.
    if (location.hash) addEventListener("load", () => requestAnimationFrame(() => returnTo(kept)), { once: true });
  };

  // Whoever is at work on the page is not torn out of it.
  const isBusy = () =>
    Boolean(document.activeElement?.matches("input[type=search]")) ||
    (timeline ? timeline.chosen >= 0 : false) ||
    !getSelection().isCollapsed;

  const news = (event) => {
    pending = event.data !== root.dataset.version;
    if (pending && !isBusy()) location.reload();
    else say(pending ? "There is something new." : "Live", pending ? "new" : "live");
    place.lastElementChild.hidden = !pending;
  };

  // A page that nobody sees asks for nothing: a browser has few connections to one place.
  const listen = () => {
    stream?.close();
    stream = null;
    if (document.hidden) return;
    stream = new EventSource("./events");
    stream.addEventListener("message", news);
    stream.addEventListener("error", () => say("deia serve does not answer.", "lost"));
  };

  history.scrollRestoration = "manual";
  if (history.state) comeBack(history.state);
  place.lastElementChild.addEventListener("click", () => location.reload());
  addEventListener("beforeunload", keep);
  place.hidden = false;
  document.addEventListener("visibilitychange", listen);
  listen();
}

// Where one is on a page. What may be scrolled, opened or have the keyboard is known by its section and its number in it,
// for with every event there may be more above.

const PLACES = { opened: "details", scrolled: ".scroll", held: "a, button, input, select, summary, [tabindex]" };

function placeOnPage() {
  const sections = [...document.querySelectorAll("main section[id]")];
  const top = (section) => section.getBoundingClientRect().top;
  const at = sections.findLast((section) => top(section) <= innerHeight / 4);
  return {
    y: scrollY,
    section: at && { id: at.id, top: top(at) },
    opened: places("opened").map(([name, element]) => [name, element.open]),
    scrolled: places("scrolled").map(([name, element]) => [name, element.scrollLeft, element.scrollTop]),
    held: places("held").find(([, element]) => element === document.activeElement)?.[0],
  };
}

function returnTo({ y, section, opened, scrolled, held }) {
  const find = (what) => new Map(places(what));
  const details = find("opened");
  for (const [name, isOpen] of opened) if (details.has(name)) details.get(name).open = isOpen;
  const scrolling = find("scrolled");
  for (const [name, left, top] of scrolled) scrolling.get(name)?.scrollTo({ left, top, behavior: "instant" });
  if (held) find("held").get(held)?.focus({ preventScroll: true });
  const at = section && document.getElementById(section.id);
  scrollTo({ top: at && y > 0 ? scrollY + at.getBoundingClientRect().top - section.top : y, behavior: "instant" });
}

function places(what) {
  const counts = new Map();
  return [...document.querySelectorAll(PLACES[what])].map((element) => {
    const section = element.closest("[id]")?.id ?? "";
    const number = counts.get(section) ?? 0;
    counts.set(section, number + 1);
    return [`${section}/${number}`, element];
  });
}
