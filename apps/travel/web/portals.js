import { byId, html, number, setText } from "./dom.js";

/** The sliders of a portal: which id they have, and which number of the settings they are. */
const RATIO = { id: "ratio", label: "Requests", path: ["request_ratio"] };
const GROUPS = [
  {
    title: "Devices",
    sliders: [
      { id: "device_mobile", label: "Mobile", path: ["devices", "mobile"] },
      { id: "device_web", label: "Web", path: ["devices", "web"] },
    ],
  },
  {
    title: "Users",
    sliders: [
      { id: "user_new", label: "New", path: ["users", "new"] },
      { id: "user_registered", label: "Registered", path: ["users", "registered"] },
    ],
  },
  {
    title: "Travel types",
    sliders: [
      { id: "travel_t1", label: "Travel T1", hint: "flight, hotel, car, insurance", path: ["travel_type", "t1"] },
      { id: "travel_t2", label: "Travel T2", hint: "flight, hotel, insurance", path: ["travel_type", "t2"] },
      { id: "travel_t3", label: "Travel T3", hint: "hotel, car, insurance", path: ["travel_type", "t3"] },
    ],
  },
];

function ratioText(value) {
  return `${value === 0 ? "0.06" : ((value / 100) * 1.33).toFixed(2)} req/s`;
}

function shareText(value) {
  return `${Number(value.toFixed(1))} %`;
}

function read(settings, path) {
  return path.reduce((value, key) => value?.[key], settings) ?? 0;
}

/** One portal's card. `send` puts its settings and gives a warning, or undefined. */
class PortalCard {
  #name;
  #send;
  #announce;
  #inputs = new Map();
  #timer;
  /** How often the user changed something, and how much of that the portal has. */
  #edits = 0;
  #delivered = 0;
  #deliveredAt = 0;
  #sending = false;
  #wasFailing = false;

  constructor(portal, send, announce) {
    this.#name = portal.name;
    this.#send = send;
    this.#announce = announce;
    this.sum = html("span", {}, "0");
    this.country = html("p", { class: "country" }, portal.country);
    this.state = html("p", { class: "portal-state", hidden: true });
    this.note = html("p", { class: "portal-note" });
    const head = html(
      "div",
      { class: "portal-head" },
      html("span", { class: "portal-dot", "aria-hidden": "true" }),
      html("div", {}, html("h3", { id: `${portal.name}_title` }, portal.name), this.country),
      html("p", { class: "sum" }, this.sum, html("small", {}, "requests")),
    );
    this.form = this.#form();
    this.element = html(
      "article",
      { class: "portal", "data-colour": portal.colour, "aria-labelledby": `${portal.name}_title` },
      head,
      this.state,
      this.form,
      this.note,
    );
  }

  #form() {
    const fieldset = (title, sliders) =>
      html(
        "fieldset",
        {},
        html("legend", {}, title),
        html("div", { class: "sliders" }, ...sliders.map((slider) => this.#slider(slider, sliders))),
      );
    const form = html(
      "form",
      {},
      fieldset("Load", [RATIO]),
      ...GROUPS.map((group) => fieldset(group.title, group.sliders)),
    );
    form.addEventListener("submit", (event) => event.preventDefault());
    return form;
  }

  #slider(slider, group) {
    const id = `${this.#name}_${slider.id}`;
    const input = html("input", { type: "range", id, name: slider.id, min: 0, max: 100, step: 0.5, value: 50 });
    const output = html("output", { id: `${id}_label`, for: id });
    this.#inputs.set(slider, { input, output });
    input.addEventListener("input", () => this.#changed(slider, group, 400));
    input.addEventListener("change", () => this.#changed(slider, group, 0));
    input.addEventListener("keydown", (event) => this.#byKey(event, input, slider, group));
    return html(
      "div",
      { class: "slider", title: slider.hint },
      html("label", { for: id }, slider.label),
      input,
      output,
    );
  }

  /** Halves exist so that two sliders can share what is left; keys go in whole steps. */
  #byKey(event, input, slider, group) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const step = steps[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    input.value = String(Math.min(100, Math.max(0, Number(input.value) + step)));
    this.#changed(slider, group, 400);
  }

  #changed(slider, group, delay) {
    const value = Number(this.#inputs.get(slider).input.value);
    const others = group.filter((each) => each !== slider);
    for (const other of others) this.#inputs.get(other).input.value = String((100 - value) / others.length);
    this.#labels();
    clearTimeout(this.#timer);
    this.#edits++;
    this.#timer = setTimeout(() => void this.#deliver(), delay);
  }

  /** One request at a time, each with all sliders: two on their way could overtake one another. */
  async #deliver() {
    if (this.#sending) return;
    this.#sending = true;
    setText(this.note, "Saving…");
    this.note.dataset.state = "";
    let warning;
    while (this.#delivered !== this.#edits) {
      const edit = this.#edits;
      warning = await this.#send(this.#name, this.#settings());
      this.#delivered = edit;
    }
    clearTimeout(this.#timer);
    this.#sending = false;
    this.#deliveredAt = performance.now();
    this.note.dataset.state = warning === undefined ? "" : "bad";
    setText(this.note, warning ?? "Saved");
    this.#announce(`${this.#name}: ${warning ?? "settings saved"}`);
    if (warning === undefined) this.#timer = setTimeout(() => setText(this.note, ""), 2500);
  }

  #settings() {
    const value = (id) => Number(byId(`${this.#name}_${id}`).value);
    return {
      request_ratio: value("ratio"),
      devices: { web: value("device_web"), mobile: value("device_mobile") },
      users: { registered: value("user_registered"), new: value("user_new") },
      travel_type: { t1: value("travel_t1"), t2: value("travel_t2"), t3: value("travel_t3") },
    };
  }

  #labels() {
    for (const [slider, { input, output }] of this.#inputs) {
      const value = Number(input.value);
      const text = slider === RATIO ? ratioText(value) : shareText(value);
      setText(output, text);
      input.setAttribute("aria-valuetext", text);
      input.style.setProperty("--fill", `${value}%`);
    }
  }

  /** Shows the portal as it was at `asked`; sliders that the user has set since are left alone. */
  update(portal, asked) {
    setText(this.sum, number.format(portal.requests.total));
    setText(this.country, portal.country);
    const failing = portal.lost || portal.failing;
    this.state.hidden = !failing;
    if (failing) {
      const reason = portal.lost ? "The portal does not answer." : "The portal cannot reach the travel agency.";
      if (this.state.dataset.reason !== reason) {
        this.state.dataset.reason = reason;
        this.state.replaceChildren(html("strong", {}, "Failed to connect"), `${reason} Trying again.`);
      }
    }
    if (failing !== this.#wasFailing) {
      this.#announce(failing ? `${portal.name}: failed to connect` : `${portal.name} is connected again`);
      this.#wasFailing = failing;
    }
    if (this.#delivered !== this.#edits || asked < this.#deliveredAt || !portal.settings) return;
    for (const [slider, { input }] of this.#inputs) {
      const value = String(read(portal.settings, slider.path));
      if (input.value !== value) input.value = value;
    }
    this.#labels();
  }
}

/** The list of portals. */
export function createPortals(container, send, announce) {
  const cards = new Map();
  container.replaceChildren(html("p", { class: "placeholder" }, "Looking for portals…"));
  return {
    update(portals, asked) {
      if (portals.length === 0) {
        container.replaceChildren(html("p", { class: "placeholder" }, "There are no portals."));
        cards.clear();
        return;
      }
      for (const portal of portals) {
        let card = cards.get(portal.name);
        if (!card) {
          if (cards.size === 0) container.replaceChildren();
          card = new PortalCard(portal, send, announce);
          cards.set(portal.name, card);
          container.append(card.element);
        }
        card.update(portal, asked);
      }
    },
  };
}
