import { html, number, setText } from "./dom.js";

const CHARTS = [
  {
    title: "By portal",
    rows: (portals) =>
      portals.map((portal) => ({ label: portal.name, parts: [{ portal, value: portal.requests.total }] })),
  },
  { title: "By device", rows: stacked("devices", { web: "Web", mobile: "Mobile" }) },
  { title: "By user", rows: stacked("users", { registered: "Registered", new: "New" }) },
  { title: "By travel type", rows: stacked("travel_type", { t1: "T1", t2: "T2", t3: "T3" }) },
];

function stacked(group, labels) {
  return (portals) =>
    Object.entries(labels).map(([key, label]) => ({
      label,
      parts: portals.map((portal) => ({ portal, value: portal.requests[group][key] })),
    }));
}

/** Four bar charts whose bars are made of the portals' colours. */
export function createCharts(container) {
  const charts = CHARTS.map((chart) => {
    const list = html("dl");
    container.append(html("article", { class: "panel chart" }, html("h3", {}, chart.title), list));
    return { chart, list, rows: new Map() };
  });

  function rowOf(entry, label) {
    const known = entry.rows.get(label);
    if (known) return known;
    const value = html("dd");
    const bar = html("div", { class: "bar", "aria-hidden": "true" });
    entry.list.append(html("div", { class: "bar-row" }, html("dt", { title: label }, label), value, bar));
    const row = { value, bar };
    entry.rows.set(label, row);
    return row;
  }

  return {
    update(portals) {
      for (const entry of charts) {
        const rows = entry.chart.rows(portals);
        const sums = rows.map(({ parts }) => parts.reduce((sum, part) => sum + part.value, 0));
        const largest = Math.max(1, ...sums);
        for (const [index, { label, parts }] of rows.entries()) {
          const row = rowOf(entry, label);
          setText(row.value, number.format(sums[index]));
          while (row.bar.children.length < parts.length) row.bar.append(html("i"));
          for (const [at, part] of parts.entries()) {
            const piece = row.bar.children[at];
            piece.dataset.colour = part.portal.colour;
            piece.style.width = `${(part.value / largest) * 100}%`;
          }
        }
      }
    },
  };
}

/** The same numbers as a table. */
export function createTable(head, body) {
  return {
    update(portals, cities) {
      const names = portals.map((portal) => portal.name);
      const cells = (tag, values) => values.map((value) => html(tag, { scope: "col" }, value));
      head.replaceChildren(html("tr", {}, ...cells("th", ["City", "Total", ...names])));
      if (cities.length === 0) {
        body.replaceChildren(html("tr", {}, html("td", { colspan: names.length + 2 }, "No requests yet")));
        return;
      }
      body.replaceChildren(
        ...cities.map((city) => {
          const own = names.map((name) => city.shares.find(({ portal }) => portal.name === name)?.requests.total ?? 0);
          const values = [city.total, ...own].map((value) => html("td", {}, number.format(value)));
          return html("tr", {}, html("th", { scope: "row" }, city.name), ...values);
        }),
      );
    },
  };
}
