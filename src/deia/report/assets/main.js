// Bring the page to life.

function main() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const palette = makePalette();
  const items = new Items(data);
  const root = document.documentElement;

  const charts = new Charts(data.charts, palette);
  const timeline = new Timeline(document.querySelector(".timeline"), items, data, palette, (i) => table.reveal(i));
  const table = new EventTable(document.querySelector(".events"), items, data, (i) => {
    timeline.choose(i);
    timeline.root.scrollIntoView({ block: "nearest" });
    timeline.lanes.focus({ preventScroll: true });
  });
  sayWhatIsAggregated(data, items);

  for (const button of document.querySelectorAll("[data-find]")) {
    button.addEventListener("click", () => table.find(button.dataset.find));
  }

  const repaint = () => {
    palette.forget();
    charts.recolour();
    timeline.recolour();
  };
  for (const choice of document.querySelectorAll("input[name=theme]")) {
    choice.addEventListener("change", () => {
      if (choice.value === "auto") delete root.dataset.theme;
      else root.dataset.theme = choice.value;
      repaint();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  // Paper is light and narrow. The class is set first, for what is painted depends on it.
  const onPaper = (paper) => {
    root.classList.toggle("paper", paper);
    timeline.resize();
    repaint();
  };
  addEventListener("beforeprint", () => onPaper(true));
  addEventListener("afterprint", () => onPaper(false));
  matchMedia("print").addEventListener("change", (event) => onPaper(event.matches));

  if (root.dataset.version) follow(timeline, table);
  root.dataset.ready = "yes";
}

// On a page of a long session: what is not shown one by one, and why.
function sayWhatIsAggregated(data, items) {
  const place = document.querySelector(".aggregated");
  if (items.count >= data.total) {
    place.remove();
    return;
  }
  place.textContent =
    `This page shows ${format.count(items.count)} of ${format.count(data.total)} events one by one (a task is one): those that failed or ` +
    "did not end, then those that took longest. The others are counted in the lanes at the bottom, and in every figure.";
}

main();
