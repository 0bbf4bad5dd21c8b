"use strict";
// Draws the figures in the page's colours, and redraws them when those change.

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const drawn = new Map(); // id -> element
const narrow = window.matchMedia("(max-width: 40rem)");
const coarse = window.matchMedia("(pointer: coarse)");
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const PRINTED = 640; // a column of paper, CSS pixels

function color(name) {
  const [key, opacity] = name.split("/");
  const value = getComputedStyle(root).getPropertyValue("--" + key).trim();
  if (!value.startsWith("#") || opacity === undefined) return value || name;
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(value.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${opacity})`;
}

// A copy of a specification with its colours' names replaced.
function painted(value, key) {
  if (Array.isArray(value)) return value.map((item) => painted(item, key));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, painted(v, k)]));
  }
  if (typeof value !== "string") return value;
  if (key === "colorscale") {
    const stops = color(value).split(" ");
    return stops.map((stop, i) => [i / (stops.length - 1), stop]);
  }
  return /color$/.test(key) ? color(value) : value;
}

function layoutOf(spec, width) {
  const axis = { gridcolor: "grid", zerolinecolor: "rule", linecolor: "rule", tickcolor: "rule", ticks: "outside", ticklen: 4, title: { font: { size: 13 } } };
  const small = (width || window.innerWidth) < 640;
  const legend = spec.layout.showlegend ? 20 * Math.ceil(spec.rows / (small ? 1 : 3)) : 0;
  const base = {
    autosize: !width,
    font: { family: getComputedStyle(document.body).fontFamily, size: small ? 12 : 13, color: "text" },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: spec.globe ? { l: 0, r: 0, t: 0, b: 0 } : { l: 62, r: 14, t: 18, b: 56 },
    hovermode: "closest",
    hoverlabel: { bgcolor: "surface", bordercolor: "muted", font: { color: "text", size: 13 }, namelength: -1, align: "left" },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: 12.5 } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "muted", activecolor: "accent" },
    dragmode: coarse.matches ? false : "zoom",
    uirevision: "kept",
    height: spec.globe ? (small ? 380 : 520) : (small ? 340 : 410) + legend,
  };
  if (width) base.width = width;
  const layout = { ...base, ...spec.layout };
  if (spec.globe) return painted({ ...layout, dragmode: "orbit" }, "");
  for (const name of ["xaxis", "yaxis"]) {
    const own = spec.layout[name];
    layout[name] = { ...axis, ...own, title: { ...axis.title, ...own.title }, ...ranges(spec, name) };
  }
  return painted(layout, "");
}

function ranges(spec, name) {
  return spec.shared && spec.shared[name] ? { range: spec.shared[name] } : {};
}

const settings = {
  displaylogo: false,
  displayModeBar: coarse.matches ? false : "hover", // a finger's would lie on the legend
  responsive: true,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  showSendToCloud: false, // nothing of a report leaves it
  plotlyServerURL: "",
};

function draw(id, width) {
  const element = document.getElementById("plot-" + id);
  const spec = data.figures[id];
  const options = { ...settings, toImageButtonOptions: { filename: spec.file, scale: 2 } };
  const made = Plotly.react(element, painted(spec.data, ""), layoutOf(spec, width), options);
  drawn.set(id, element);
  return made;
}

// Charts of one name stand side by side: they get the same axes.
function align(ids) {
  if (ids.length < 2 || data.figures[ids[0]].globe || data.figures[ids[0]].shared) return;
  const shared = {};
  for (const name of ["xaxis", "yaxis"]) {
    const axes = ids.map((id) => drawn.get(id).layout[name]);
    if (axes.some((axis) => axis.type === "category" || !axis.range)) continue;
    const all = axes.map((axis) => axis.range);
    shared[name] = [Math.min(...all.map((r) => r[0])), Math.max(...all.map((r) => r[1]))];
  }
  for (const id of ids) {
    data.figures[id].shared = shared;
    draw(id);
  }
}

async function drawGroup(id) {
  const ids = data.figures.map((_, i) => i).filter((i) => data.figures[i].group === data.figures[id].group);
  if (ids.every((i) => drawn.has(i))) return;
  await Promise.all(ids.map((i) => draw(i)));
  align(ids);
}

const idOf = (element) => Number(element.id.slice("plot-".length));
const plots = [...document.querySelectorAll(".plot")];
const nearby = new IntersectionObserver(
  (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => {
    nearby.unobserve(e.target);
    drawGroup(idOf(e.target));
  }),
  { rootMargin: "400px" },
);
plots.forEach((element) => nearby.observe(element)); // a hidden one comes near when it is shown

// Tabs: a click or the arrow keys, Home and End.
for (const list of document.querySelectorAll("[role=tablist]")) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const choose = (chosen) => {
    for (const tab of tabs) {
      const here = tab === chosen;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute("aria-controls"));
      panel.hidden = !here;
      if (here) panel.querySelectorAll(".js-plotly-plot").forEach((plot) => Plotly.Plots.resize(plot));
    }
    chosen.focus({ preventScroll: true });
    chosen.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const now = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(tabs[(to + tabs.length) % tabs.length]);
  });
}

// One quantity at a time.
const chosen = document.getElementById("quantity");
const byQuantity = [...document.querySelectorAll("[data-quantity]")];
function chooseQuantity() {
  if (!chosen) return;
  for (const element of byQuantity) {
    element.hidden = element.dataset.quantity !== chosen.value;
    if (!element.hidden) element.querySelectorAll(".js-plotly-plot").forEach((plot) => Plotly.Plots.resize(plot));
  }
}
if (chosen) chosen.addEventListener("change", chooseQuantity);
chooseQuantity();

// Light and dark: the system's choice until the button is pressed.
const button = document.getElementById("theme");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
function repaint() {
  button.setAttribute("aria-pressed", String(isDark()));
  button.textContent = isDark() ? "Light" : "Dark";
  button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  for (const id of drawn.keys()) draw(id);
}
button.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  repaint();
});
dark.addEventListener("change", repaint);
narrow.addEventListener("change", repaint);
repaint();

// Paper: light, every tab, as wide as a page.
let before;
window.addEventListener("beforeprint", () => {
  before = root.dataset.theme;
  root.dataset.theme = "light";
  const columns = Number(getComputedStyle(document.body).getPropertyValue("--parts")) || 1;
  document.querySelectorAll("details").forEach((element) => { element.open = true; });
  plots.forEach((element) => draw(idOf(element), Math.floor(PRINTED / columns)));
});
window.addEventListener("afterprint", () => {
  if (before === undefined) delete root.dataset.theme;
  else root.dataset.theme = before;
  repaint();
});

// Contents: folded on narrow screens, and the section in view is marked.
const fold = document.querySelector(".contents details");
const wide = window.matchMedia("(min-width: 68rem)");
const unfold = () => { fold.open = wide.matches; };
wide.addEventListener("change", unfold);
unfold();
const links = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
const watched = new IntersectionObserver(
  (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => {
    links.forEach((a) => a.removeAttribute("aria-current"));
    links.get(e.target.id).setAttribute("aria-current", "true");
  }),
  { rootMargin: "-15% 0px -75% 0px" },
);
for (const id of links.keys()) watched.observe(document.getElementById(id));
