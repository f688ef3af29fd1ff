// On a page that `deia serve` shows: load it anew when there is something new, and come back to where one was.

function follow(timeline) {
  const root = document.documentElement;
  const place = document.querySelector(".live");
  let stream = null;
  let pending = false;

  const say = (text, state) => {
    place.firstElementChild.textContent = text;
    place.dataset.state = state;
  };

  // Kept with the entry in the browser's history, which outlives a reload and nothing else.
  const reload = () => {
    const kept = { y: scrollY, theme: root.dataset.theme };
    if (timeline) {
      const { axis, view, lanes } = timeline;
      kept.folded = axis.folded;
      kept.top = lanes.scrollTop;
      if (view.to - view.from < axis.length * 0.999) kept.seen = [axis.real(view.from), axis.real(view.to)];
    }
    history.replaceState(kept, "");
    location.reload();
  };

  const comeBack = ({ y, theme, folded, top, seen }) => {
    if (theme) document.querySelector(`input[name=theme][value=${theme}]`)?.click();
    if (timeline) {
      if (timeline.axis.folded !== folded) timeline.fold(folded);
      if (seen) timeline.show(...seen.map((time) => timeline.axis.shown(time)));
      timeline.lanes.scrollTop = top;
    }
    scrollTo({ top: y, behavior: "instant" });
  };

  // Whoever is at work on the page is not torn out of it.
  const isBusy = () => {
    const searched = document.querySelector(".events input[type=search]");
    return Boolean(searched?.value) || (timeline ? timeline.chosen >= 0 : false) || !getSelection().isCollapsed;
  };

  const news = (event) => {
    pending = event.data !== root.dataset.version;
    if (pending && !isBusy()) reload();
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
  place.lastElementChild.addEventListener("click", reload);
  place.hidden = false;
  document.addEventListener("visibilitychange", listen);
  listen();
}
