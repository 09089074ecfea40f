import { html, number, setText, slicePath, svg } from "./dom.js";

/* global d3, topojson */

/** What the map must show: from Iceland to Moscow, from Cyprus to Finland. */
const CORNERS = {
  type: "MultiPoint",
  coordinates: [
    [-24, 65.5],
    [-10, 36],
    [38.5, 57],
    [34.5, 34],
    [27, 65],
  ],
};

/** Country names of the demo that the atlas writes differently. */
const SAME_COUNTRY = { England: "United Kingdom", "Great Britain": "United Kingdom", "Czech Republic": "Czechia" };

const SMALLEST = 3.5;
const LARGEST = 15;
/** How far from a circle's edge the pointer still means its city. */
const REACH = 16;
const MOST_NAMES = 9;
/** How high a portal's flag stands over its place. */
const FLAG = 24;
const MOST_FLIGHTS = 24;

function reducedMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** The map of Europe with its cities. */
export async function createMap(container, legend, card, empty) {
  const world = await (await fetch("lib/countries-110m.json")).json();
  const map = new EuropeMap(container, legend, card, empty, topojson.feature(world, world.objects.countries).features);
  new ResizeObserver(() => map.draw()).observe(container);
  return map;
}

class EuropeMap {
  #container;
  #legend;
  #card;
  #empty;
  #countries;
  #layers = {};
  #state = { portals: [], cities: [], fresh: [] };
  #projection;
  #cities = new Map();
  #active;
  #tabStop;

  constructor(container, legend, card, empty, countries) {
    this.#container = container;
    this.#legend = legend;
    this.#card = card;
    this.#empty = empty;
    this.#countries = countries;
    for (const name of ["land", "flights", "cities", "pulses", "names", "homes"]) this.#layers[name] = svg("g");
    this.svg = svg(
      "svg",
      { role: "group", "aria-label": "Map of Europe with the cities asked for" },
      ...Object.values(this.#layers),
    );
    container.prepend(this.svg);
    container.addEventListener("pointerleave", () => this.#close());
    for (const type of ["pointermove", "click"]) {
      this.svg.addEventListener(type, (event) => this.#point(event));
    }
    this.draw();
  }

  /** Draws everything for the size the map has now. */
  draw() {
    const { clientWidth: width, clientHeight: height } = this.#container;
    if (width === 0 || height === 0) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const margin = width < 600 ? 12 : 26;
    const extent = [
      [margin, margin],
      [width - margin, height - margin],
    ];
    this.#projection = d3
      .geoMercator()
      .fitExtent(extent, CORNERS)
      .clipExtent([
        [-20, -20],
        [width + 20, height + 20],
      ]);
    this.#drawLand();
    this.#drawHomes();
    this.#drawCities();
  }

  #drawLand() {
    const path = d3.geoPath(this.#projection);
    const homes = new Map(
      this.#state.portals.map((portal) => [SAME_COUNTRY[portal.country] ?? portal.country, portal]),
    );
    const shapes = this.#countries.map((country) => {
      const shape = path(country);
      if (!shape) return undefined;
      const home = homes.get(country.properties.name);
      return svg("path", { class: home ? "country home" : "country", "data-colour": home?.colour, d: shape });
    });
    const grid = svg("path", { class: "graticule", d: path(d3.geoGraticule().step([10, 10])()) ?? "" });
    this.#layers.land.replaceChildren(grid, ...shapes.filter(Boolean));
  }

  #drawHomes() {
    const marks = this.#state.portals.flatMap((portal) => {
      const at = portal.coordinates && this.#projection(portal.coordinates);
      if (!at) return [];
      const half = portal.name.length * 3.4 + 11;
      const place = {
        transform: `translate(${at[0].toFixed(1)},${at[1].toFixed(1)})`,
        "data-colour": portal.colour,
        class: "home-flag",
      };
      return [
        svg(
          "g",
          place,
          svg("line", { class: "flag-pole", y2: -FLAG }),
          svg("circle", { class: "flag-foot", r: 3.2 }),
          svg("rect", { class: "flag", x: -half, y: -FLAG - 20, width: half * 2, height: 20, rx: 10 }),
          svg("text", { class: "flag-name", y: -FLAG - 6, "text-anchor": "middle" }, portal.name),
        ),
      ];
    });
    this.#layers.homes.replaceChildren(...marks);
  }

  #radius(total) {
    const largest = Math.max(16, this.#state.cities[0]?.total ?? 0);
    const most = this.#container.clientWidth < 600 ? LARGEST * 0.62 : LARGEST;
    return SMALLEST + (most - SMALLEST) * Math.sqrt(total / largest);
  }

  #drawCities() {
    const { cities } = this.#state;
    const focused = document.activeElement?.closest?.(".city")?.dataset.city;
    this.#tabStop = cities.some((city) => city.name === this.#tabStop) ? this.#tabStop : cities[0]?.name;
    const seen = new Set(cities.map((city) => city.name));
    for (const [name, entry] of this.#cities) {
      if (seen.has(name)) continue;
      entry.group.remove();
      this.#cities.delete(name);
    }
    // The smallest come last, so that none is hidden under a larger one.
    for (const city of cities) {
      const at = this.#projection(city.coordinates);
      if (!at) continue;
      const entry = this.#entry(city.name);
      entry.city = city;
      entry.at = at;
      this.#fillCity(entry);
      this.#layers.cities.append(entry.group);
    }
    if (focused !== undefined && document.activeElement?.dataset?.city !== focused) {
      this.#cities.get(focused)?.group.focus({ preventScroll: true });
    }
    this.#drawNames();
    if (this.#active !== undefined) this.#open(this.#active);
  }

  #entry(name) {
    const known = this.#cities.get(name);
    if (known) return known;
    const group = svg("g", { class: "city", role: "img", tabindex: -1, "data-city": name });
    group.addEventListener("focus", () => {
      this.#tabStop = name;
      this.#open(name);
    });
    group.addEventListener("blur", () => this.#close());
    group.addEventListener("keydown", (event) => this.#move(event, name));
    const entry = { group, city: undefined, at: [0, 0] };
    this.#cities.set(name, entry);
    return entry;
  }

  #fillCity({ group, city, at }) {
    const radius = this.#radius(city.total);
    group.setAttribute("transform", `translate(${at[0].toFixed(1)},${at[1].toFixed(1)})`);
    group.setAttribute("tabindex", city.name === this.#tabStop ? "0" : "-1");
    group.setAttribute("aria-label", this.#describe(city));
    const stamp = `${radius.toFixed(2)} ${city.shares.map((share) => share.requests.total)}`;
    if (group.dataset.stamp === stamp) return;
    group.dataset.stamp = stamp;
    group.replaceChildren(
      svg("circle", { class: "base", r: radius + 1.2 }),
      ...pieces(city, radius),
      svg("circle", { class: "ring", r: radius + 4 }),
    );
  }

  #describe(city) {
    const shares = city.shares.map(({ portal, requests }) => `${portal.name} ${requests.total}`).join(", ");
    return `${city.name}: ${city.total} requests; ${shares}`;
  }

  /** Names of the busiest cities, as far as they do not lie over one another. */
  #drawNames() {
    const most = this.#container.clientWidth < 600 ? 4 : MOST_NAMES;
    const taken = this.#state.portals.flatMap((portal) => {
      const at = portal.coordinates && this.#projection(portal.coordinates);
      return at ? [{ x: at[0] - 48, y: at[1] - FLAG - 22, width: 96, height: FLAG + 24 }] : [];
    });
    const names = [];
    for (const city of this.#state.cities) {
      if (names.length >= most) break;
      const entry = this.#cities.get(city.name);
      if (!entry) continue;
      const radius = this.#radius(city.total);
      const box = { x: entry.at[0] + radius + 4, y: entry.at[1] - 8, width: city.name.length * 7, height: 16 };
      if (taken.some((other) => overlap(box, other))) continue;
      taken.push(box);
      names.push(svg("text", { class: "city-name", x: box.x + 1, y: entry.at[1] + 4 }, city.name));
    }
    this.#layers.names.replaceChildren(...names);
  }

  /** Opens the city nearest to the pointer: small circles lie close together. */
  #point(event) {
    const frame = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    let best;
    for (const [name, { at, city }] of this.#cities) {
      const distance = Math.hypot(at[0] - x, at[1] - y);
      const gap = distance - this.#radius(city.total);
      if (gap < REACH && (!best || distance < best.distance)) best = { name, distance };
    }
    if (!best) this.#close();
    else if (best.name !== this.#active) this.#open(best.name);
  }

  /** Arrow keys go to the nearest city in that direction. */
  #move(event, name) {
    if (event.key === "Escape") return this.#close();
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const direction = directions[event.key];
    const from = this.#cities.get(name)?.at;
    if (!direction || !from) return;
    event.preventDefault();
    let best;
    for (const [other, { at }] of this.#cities) {
      const along = (at[0] - from[0]) * direction[0] + (at[1] - from[1]) * direction[1];
      const aside = Math.abs((at[0] - from[0]) * direction[1]) + Math.abs((at[1] - from[1]) * direction[0]);
      if (other === name || along <= 1) continue;
      const cost = along + aside * 2.2;
      if (!best || cost < best.cost) best = { name: other, cost };
    }
    if (!best) return;
    this.#cities.get(name)?.group.setAttribute("tabindex", "-1");
    const next = this.#cities.get(best.name)?.group;
    next?.setAttribute("tabindex", "0");
    next?.focus({ preventScroll: true });
  }

  #open(name) {
    const entry = this.#cities.get(name);
    if (!entry) return this.#close();
    if (this.#active !== name) this.#cities.get(this.#active)?.group.classList.remove("active");
    this.#active = name;
    entry.group.classList.add("active");
    this.#card.replaceChildren(...cardContent(entry.city));
    this.#card.hidden = false;
    const { clientWidth: width, clientHeight: height } = this.#container;
    const left = entry.at[0] + 30 + 254 > width ? entry.at[0] - 30 - 254 : entry.at[0] + 30;
    const top = Math.min(Math.max(10, entry.at[1] - 70), height - this.#card.offsetHeight - 10);
    this.#card.style.left = `${Math.max(8, left)}px`;
    this.#card.style.top = `${Math.max(8, top)}px`;
  }

  #close() {
    this.#cities.get(this.#active)?.group.classList.remove("active");
    this.#active = undefined;
    this.#card.hidden = true;
  }

  /** Shows a new state; requests that are new fly in from their portal. */
  update(state) {
    const before = this.#state;
    this.#state = state;
    const homesMoved = homesOf(before) !== homesOf(state);
    if (homesMoved) {
      this.#drawLand();
      this.#drawHomes();
      this.#drawLegend();
    }
    this.#drawCities();
    this.#showEmpty();
    if (!reducedMotion()) for (const arrival of state.fresh.slice(0, MOST_FLIGHTS)) this.#fly(arrival);
  }

  #drawLegend() {
    this.#legend.replaceChildren(
      ...this.#state.portals.map((portal) =>
        html("li", { "data-colour": portal.colour }, html("i", { "aria-hidden": "true" }), portal.name),
      ),
    );
  }

  #showEmpty() {
    const { portals, cities } = this.#state;
    this.#empty.hidden = cities.length > 0;
    if (cities.length > 0) return;
    const allLost = portals.length > 0 && portals.every((portal) => portal.lost || portal.failing);
    setText(
      this.#empty,
      allLost
        ? "No portal can reach its travellers right now."
        : "No travellers yet. The first quotes appear here within seconds.",
    );
  }

  #fly({ city, portal }) {
    const target = this.#cities.get(city.name)?.at;
    if (!target) return;
    const vanish = (node) => node.addEventListener("animationend", () => node.remove(), { once: true });
    if (portal.coordinates) {
      const line = { type: "LineString", coordinates: [portal.coordinates, city.coordinates] };
      const d = d3.geoPath(this.#projection)(line);
      if (d) {
        const flight = svg("path", { class: "flight", d, pathLength: 1, "data-colour": portal.colour });
        vanish(flight);
        this.#layers.flights.append(flight);
      }
    }
    const radius = this.#radius(city.total) + 20;
    const pulse = svg("circle", {
      class: "pulse",
      cx: target[0],
      cy: target[1],
      r: radius,
      "data-colour": portal.colour,
    });
    vanish(pulse);
    this.#layers.pulses.append(pulse);
  }
}

function homesOf({ portals }) {
  return JSON.stringify(portals.map((portal) => [portal.name, portal.country, portal.coordinates, portal.colour]));
}

function overlap(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function pieces(city, radius) {
  let from = 0;
  return city.shares.map(({ portal, requests }) => {
    const to = from + requests.total / Math.max(1, city.total);
    const piece = svg("path", { class: "share", "data-colour": portal.colour, d: slicePath(radius, from, to) });
    from = to;
    return piece;
  });
}

function sum(city, group, key) {
  return city.shares.reduce((total, { requests }) => total + requests[group][key], 0);
}

function cardContent(city) {
  const [longitude, latitude] = city.coordinates;
  const where = `${Math.abs(latitude).toFixed(1)}° ${latitude < 0 ? "S" : "N"}, ${Math.abs(longitude).toFixed(1)}° ${longitude < 0 ? "W" : "E"}`;
  const rows = city.shares.flatMap(({ portal, requests }) => [
    html("dt", { "data-colour": portal.colour }, html("i"), portal.name),
    html("dd", {}, number.format(requests.total)),
  ]);
  const pie = svg(
    "svg",
    { viewBox: "-31 -31 62 62", "aria-hidden": "true" },
    svg("circle", { r: 30 }),
    ...pieces(city, 30),
  );
  const line = (label, text) => html("div", {}, `${label}: ${text}`);
  const travel = ["t1", "t2", "t3"].map((key) => `${key.toUpperCase()} ${sum(city, "travel_type", key)}`).join(", ");
  return [
    html("h3", {}, city.name),
    html(
      "p",
      { class: "where" },
      `${where} · ${number.format(city.total)} ${city.total === 1 ? "request" : "requests"}`,
    ),
    html("div", { class: "split" }, pie, html("dl", {}, ...rows)),
    html(
      "div",
      { class: "more" },
      line("Devices", `${sum(city, "devices", "web")} web, ${sum(city, "devices", "mobile")} mobile`),
      line("Users", `${sum(city, "users", "registered")} registered, ${sum(city, "users", "new")} new`),
      line("Travel", travel),
    ),
  ];
}
