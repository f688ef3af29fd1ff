// The charts. Each has a table beside it, which says the same in figures.

const UNITS = {
  ms: format.duration,
  usd: format.dollars,
  tokens: (number) => `${format.count(number)} tokens`,
  calls: (number) => format.plural(Math.round(100 * number) / 100, "call"),
};

class Charts {
  constructor(described, palette) {
    this.palette = palette;
    this.drawn = [];
    const byName = new Map(described.map((one) => [one.name, one]));
    for (const figure of document.querySelectorAll("figure[data-chart]")) {
      const chart = byName.get(figure.dataset.chart);
      if (chart) this.drawn.push({ chart, figure, made: this.#make(figure, chart) });
      else figure.remove();
    }
  }

  // Paint them anew, in other colours or for paper.
  recolour() {
    for (const { chart, made } of this.drawn) {
      const { data, options } = this.#configure(chart);
      made.data = data;
      made.options = options;
      made.resize();
      made.update("none");
    }
  }

  #make(figure, chart) {
    const holder = figure.querySelector(".canvas");
    if (chart.shape === "bars") holder.style.height = `${44 + 26 * chart.labels.length + (chart.series.length > 1 ? 28 : 0)}px`;
    return new Chart(holder.querySelector("canvas"), this.#configure(chart));
  }

  #largest(chart) {
    return Math.max(1, ...chart.labels.map((_, i) => chart.series.reduce((sum, one) => sum + one.values[i], 0)));
  }

  #configure(chart) {
    return chart.shape === "steps" ? this.#steps(chart) : this.#bars(chart);
  }

  // Areas that lie on each other, level from the beginning of a step to its end, and above them a line.
  #steps(chart) {
    const { palette } = this;
    const offsets = chart.offsets_ms;
    const step = stepFor((offsets[offsets.length - 1] - offsets[0]) / 8);
    const line = chart.series.length - 1;
    const datasets = chart.series.map((series, i) => ({
      label: series.label,
      data: offsets.map((x, at) => ({ x, y: series.values[Math.min(at, series.values.length - 1)] })),
      stack: i === line ? "line" : "areas",
      stepped: true,
      pointRadius: 0,
      borderWidth: i === line ? 1.5 : 0,
      borderColor: palette.colour(series.colour),
      backgroundColor: palette.colour(series.colour),
      fill: i === line ? false : i ? "-1" : "origin",
    }));
    const ink = palette.colour("ink");
    const ticks = { color: palette.colour("quiet"), maxRotation: 0 };
    const grid = { color: palette.colour("line") };
    const when = ([{ dataIndex }]) => {
      const from = Math.min(dataIndex, offsets.length - 2);
      return `${format.offset(offsets[from], step / 10)} to ${format.offset(offsets[from + 1], step / 10)}`;
    };
    return {
      type: "line",
      data: { datasets },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: {
            type: "linear",
            bounds: "data",
            grid,
            ticks: { ...ticks, callback: (ms) => format.offset(ms, step) },
            // Whole steps alone: on a narrow screen the marks of both ends would lie on others.
            afterBuildTicks: (axis) => {
              const [first, last] = [Math.ceil(axis.min / step), Math.floor(axis.max / step)];
              axis.ticks = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => ({ value: (first + i) * step }));
            },
          },
          y: { stacked: true, beginAtZero: true, grid, ticks: { ...ticks, precision: 0, maxTicksLimit: 6 } },
        },
        plugins: {
          legend: { position: "bottom", labels: { color: ink, boxWidth: 12 } },
          tooltip: {
            callbacks: { title: when, label: ({ raw, dataset }) => ` ${dataset.label}: ${UNITS[chart.unit](raw.y)}` },
          },
        },
      },
    };
  }

  #bars(chart) {
    const { palette } = this;
    const ring = chart.shape === "ring";
    const text = UNITS[chart.unit];
    const ink = palette.colour("ink");
    const datasets = chart.series.map((series) => ({
      label: series.label,
      data: series.values,
      backgroundColor: ring ? chart.colours.map((name) => palette.colour(name)) : palette.colour(series.colour),
      borderColor: palette.colour("card"),
      borderWidth: ring ? 2 : 0,
      borderRadius: ring ? 0 : 2,
      maxBarThickness: 22,
    }));
    const said = ({ raw, dataset, label }) => ` ${ring ? label : dataset.label}: ${text(raw)}`;
    const lying = chart.shape === "bars";
    const values = {
      stacked: true,
      beginAtZero: true,
      grid: { color: palette.colour("line") },
      ticks: { color: palette.colour("quiet"), callback: text, maxTicksLimit: lying ? 5 : 6, maxRotation: 0 },
    };
    if (chart.unit === "ms") values.ticks.stepSize = stepFor(this.#largest(chart) / 4);
    const names = { stacked: true, grid: { display: false }, ticks: { color: ink, autoSkip: !lying, maxRotation: 0 } };
    if (lying) {
      names.ticks.callback = function shorten(value) {
        const label = this.getLabelForValue(value);
        const room = Math.max(8, Math.floor(this.chart.width / 16)); // characters in two fifths of the width
        return label.length > room ? `${label.slice(0, room - 1)}…` : label;
      };
    }
    return {
      type: ring ? "doughnut" : "bar",
      data: { labels: chart.labels, datasets },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        indexAxis: lying ? "y" : "x",
        cutout: "62%",
        scales: ring ? {} : lying ? { x: values, y: names } : { x: names, y: values },
        plugins: {
          // A ring has its table beside it, whose rows have its colours.
          legend: { display: !ring && chart.series.length > 1, position: "bottom", labels: { color: ink, boxWidth: 12 } },
          tooltip: { callbacks: { label: said } },
        },
      },
    };
  }
}
