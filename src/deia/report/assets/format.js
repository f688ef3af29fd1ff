// Figures as people read them, worded as on the rest of the page; colours as the style sheet has them.

const NONE = "–";

const format = {
  count: (number) => number.toLocaleString("en-GB"),

  plural: (number, one, many = `${one}s`) => `${format.count(number)} ${number === 1 ? one : many}`,

  duration(ms) {
    if (!Number.isFinite(ms)) return NONE;
    if (ms > 0 && ms < 9.995) return `${ms < 0.9995 ? ms.toFixed(3) : ms.toFixed(1)} ms`;
    if (ms < 999.5) return `${Math.round(ms)} ms`;
    const seconds = ms / 1000;
    if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
    const whole = Math.round(seconds);
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
    const hours = Math.round(seconds / 3600);
    return `${format.count(Math.floor(hours / 24))} d ${two(hours % 24)} h`;
  },

  // Time since the beginning, as exact as the step between two marks of the axis.
  offset(ms, stepMs) {
    const sign = ms < 0 ? "−" : "";
    const size = Math.abs(ms);
    if (stepMs < 1000) {
      const decimals = Math.min(6, Math.max(1, Math.ceil(3 - Math.log10(stepMs) - 1e-9)));
      return `${sign}${(size / 1000).toFixed(decimals)} s`;
    }
    const seconds = Math.round(size / 1000);
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    if (hours >= 48 && stepMs >= 3600e3) return `${sign}${Math.floor(hours / 24)} d ${hours % 24} h`;
    const rest = `${two(minutes)}:${two(seconds % 60)}`;
    return sign + (hours ? `${hours}:${rest}` : rest.replace(/^0/, ""));
  },

  // A moment in the reader's own time zone.
  moment(unixMs, withDay) {
    const date = new Date(unixMs);
    if (Number.isNaN(date.getTime())) return NONE;
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} `;
    const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    return `${withDay ? day : ""}${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  },

  dollars: (usd) => `$${usd >= 1 || usd === 0 ? usd.toFixed(2) : usd.toFixed(4)}`,
};

function two(number) {
  return String(number).padStart(2, "0");
}

// What a canvas is painted with: custom properties of the style sheet, resolved for light or dark.
function makePalette() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const known = new Map();
  return {
    colour(name) {
      if (!known.has(name)) {
        probe.style.color = `var(--${name})`;
        known.set(name, getComputedStyle(probe).color);
      }
      return known.get(name);
    },
    forget: () => known.clear(),
  };
}

// An element with text in it. Nothing on this page is ever parsed as HTML.
function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (className) made.className = className;
  return made;
}
