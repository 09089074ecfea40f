import { byId, number, setText } from "./dom.js";
import { createCharts, createTable } from "./charts.js";
import { createMap } from "./map.js";
import { createModel } from "./model.js";
import { createPortals } from "./portals.js";
import { startTheme } from "./theme.js";

/** With refresh at 0 the page asks again this soon. */
const SOONEST = 250;

function announce(text) {
  setText(byId("announcer"), text);
}

async function putSettings(name, settings) {
  try {
    const response = await fetch(`settings/${encodeURIComponent(name)}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(settings),
    });
    if (!response.ok) return `Not saved: control answered ${response.status}`;
    const warning = response.headers.get("warning");
    return warning === null ? undefined : `Not delivered: ${warning.replace(/^199 - "?|"$/g, "")}`;
  } catch {
    return "Not saved: control does not answer";
  }
}

function createConnection() {
  let lost = false;
  return {
    live(portals) {
      const reachable = portals.filter((portal) => !portal.lost).length;
      const line = byId("connection");
      line.dataset.state = reachable === portals.length ? "live" : "lost";
      setText(line, `${reachable} of ${portals.length} portals connected`);
      byId("trouble").hidden = true;
      if (lost) announce("Control answers again");
      lost = false;
    },
    broken() {
      const line = byId("connection");
      line.dataset.state = "lost";
      setText(line, "Failed to connect");
      const trouble = byId("trouble");
      trouble.hidden = false;
      setText(trouble, "Failed to connect to control. The page shows what was last known and keeps trying.");
      if (!lost) announce("Failed to connect to control");
      lost = true;
    },
  };
}

function createRefresh(input, label, changed) {
  const show = () => {
    const seconds = Number(input.value) / 1000;
    const text = seconds === 0 ? "live" : `${seconds.toFixed(seconds % 1 === 0 ? 0 : 2).replace(/0$/, "")} s`;
    setText(label, text);
    input.setAttribute("aria-valuetext", text);
    input.style.setProperty("--fill", `${(Number(input.value) / Number(input.max)) * 100}%`);
  };
  input.addEventListener("input", () => {
    show();
    changed();
  });
  show();
  return () => Math.max(SOONEST, Number(input.value));
}

async function start() {
  startTheme(byId("theme"));
  const model = createModel();
  const connection = createConnection();
  const portals = createPortals(byId("portals"), putSettings, announce);
  const charts = createCharts(byId("charts"));
  const table = createTable(byId("cities_head"), byId("cities_body"));
  const map = await createMap(byId("map"), byId("legend"), byId("city_card"), byId("map_empty"));
  let timer;
  let asking = false;

  const show = (statuses, asked) => {
    const state = model.update(statuses, performance.now());
    connection.live(state.portals);
    portals.update(state.portals, asked);
    charts.update(state.portals);
    table.update(state.portals, state.cities);
    map.update(state);
    setText(byId("total"), number.format(state.total));
    setText(byId("rate"), state.rate.toFixed(2));
    setText(byId("city_count"), String(state.cities.length));
  };

  const ask = async () => {
    clearTimeout(timer);
    if (asking) return;
    asking = true;
    const asked = performance.now();
    try {
      const response = await fetch("status", { signal: AbortSignal.timeout(10_000), cache: "no-store" });
      if (!response.ok) throw new Error(`control answered ${response.status}`);
      show((await response.json()) ?? [], asked);
    } catch (error) {
      connection.broken();
      console.warn(error);
    }
    asking = false;
    schedule();
  };
  const schedule = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, pause());
  };
  const pause = createRefresh(byId("refresh_control"), byId("refresh_control_label"), schedule);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void ask();
  });
  await ask();
}

void start();
