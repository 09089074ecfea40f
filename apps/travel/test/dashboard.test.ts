import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { start } from "../src/control.ts";
import type { Service } from "../src/shared/service.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const FLAGS =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

/** A portal whose numbers the test sets. */
class FakePortal {
  total = 3;
  put: unknown[] = [];
  /** Milliseconds that each of the next settings takes to arrive. */
  slow: number[] = [];
  onTheWay = 0;
  readonly #server: Server;
  #settings: unknown = {
    request_ratio: 50,
    devices: { web: 50, mobile: 50 },
    users: { registered: 50, new: 50 },
    travel_type: { t1: 34, t2: 33, t3: 33 },
  };

  constructor(name: string, country: string) {
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      response.setHeader("content-type", "application/json");
      if (request.method === "PUT") {
        let body = "";
        for await (const chunk of request) body += String(chunk);
        this.onTheWay++;
        await new Promise((resolve) => setTimeout(resolve, this.slow.shift() ?? 0));
        this.onTheWay--;
        this.#settings = JSON.parse(body);
        this.put.push(this.#settings);
        response.end(body);
        return;
      }
      const { total } = this;
      const requests = {
        total,
        devices: { web: 1, mobile: total - 1 },
        users: { registered: total, new: 0 },
        travel_type: { t1: total, t2: 0, t3: 0 },
      };
      const cities = total === 0 ? null : [{ city: "Rome", coordinates: [12.48, 41.9], requests }];
      response.end(
        JSON.stringify({
          name,
          country,
          coordinates: [12.5, 41.9],
          settings: this.#settings,
          status: { requests, cities, error: false },
        }),
      );
    };
    this.#server = createServer((request, response) => void answer(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe.skipIf(!existsSync(CHROMIUM))("the dashboard", () => {
  const portal = new FakePortal("travels.uk", "United Kingdom");
  let browser: Browser;
  let control: Service;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    const url = await portal.listen();
    const env = { LISTEN_ADDRESS: "127.0.0.1:0", PORTAL_SERVICES: `travels.uk;${url},lost.at;http://127.0.0.1:9` };
    control = await start({ env, log: { info: () => {}, warn: () => {} } }, []);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(" ") });
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on(
      "request",
      (request) =>
        request.url().startsWith(control.url) ||
        request.url().startsWith("data:") ||
        errors.push(`outside: ${request.url()}`),
    );
    await page.goto(`${control.url}/console`);
  });
  afterAll(async () => {
    await browser.close();
    await control.close();
    portal.close();
  });

  const id = (name: string) => page.locator(`[id="${name}"]`);
  const live = async () => id("refresh_control").fill("0");

  test("shows portals, totals and a portal that is lost", async () => {
    await id("total").filter({ hasText: /^3$/ }).waitFor();
    expect(await id("travels.uk_ratio_label").textContent()).toBe("0.67 req/s");
    expect(await page.locator(".portal-state:visible").textContent()).toContain("Failed to connect");
    expect(await page.locator('.city[data-city="Rome"]').getAttribute("aria-label")).toBe(
      "Rome: 3 requests; travels.uk 3",
    );
    expect(await id("connection").textContent()).toBe("1 of 2 portals connected");
  });

  test("sliders share what is left, and their settings reach the portal", async () => {
    await id("travels.uk_device_mobile").fill("70");
    expect(await id("travels.uk_device_web").inputValue()).toBe("30");
    await id("travels.uk_travel_t3").fill("71");
    expect(await id("travels.uk_travel_t1").inputValue()).toBe("14.5");
    expect(await id("travels.uk_travel_t2_label").textContent()).toBe("14.5 %");
    await id("travels.uk_ratio").fill("100");
    expect(await id("travels.uk_ratio_label").textContent()).toBe("1.33 req/s");
    await page.locator(".portal-note", { hasText: "Saved" }).first().waitFor();
    expect(portal.put.at(-1)).toEqual({
      request_ratio: 100,
      devices: { web: 30, mobile: 70 },
      users: { registered: 50, new: 50 },
      travel_type: { t1: 14.5, t2: 14.5, t3: 71 },
    });
  });

  test("settings do not overtake one another, nor does an older status", async () => {
    await live();
    portal.slow = [300, 0];
    await id("travels.uk_ratio").fill("90");
    await id("travels.uk_device_mobile").fill("60");
    await id("travels.uk_user_registered").fill("40");
    await id("travels.uk_travel_t3").fill("50");
    await expect.poll(() => portal.slow.length).toBe(0);
    await page.locator(".portal-note", { hasText: "Saved" }).first().waitFor();
    await expect.poll(() => portal.onTheWay).toBe(0);
    expect(portal.put.at(-1)).toEqual({
      request_ratio: 90,
      devices: { web: 40, mobile: 60 },
      users: { registered: 40, new: 60 },
      travel_type: { t1: 25, t2: 25, t3: 50 },
    });
    expect(await id("travels.uk_user_new").inputValue()).toBe("60");
    await id("travels.uk_user_new").fill("50");
    await id("refresh_control").fill("1000");
  });

  test("sliders go by keys in whole steps", async () => {
    await id("travels.uk_user_new").focus();
    await page.keyboard.press("ArrowRight");
    expect(await id("travels.uk_user_new").inputValue()).toBe("51");
    expect(await id("travels.uk_user_registered_label").textContent()).toBe("49 %");
  });

  test("new requests pulse on the map and raise the totals", async () => {
    await live();
    portal.total = 8;
    await page.locator(".pulse").first().waitFor({ state: "attached" });
    await id("total").filter({ hasText: /^8$/ }).waitFor();
    await page.locator(".bar-row", { hasText: "travels.uk" }).getByText("8").waitFor();
  });

  test("the map is usable by keyboard", async () => {
    await page.locator('.city[data-city="Rome"]').focus();
    await id("city_card").filter({ hasText: "Devices: 1 web, 7 mobile" }).waitFor();
    await page.keyboard.press("Escape");
    await id("city_card").waitFor({ state: "hidden" });
  });

  test("the theme follows the button and is kept", async () => {
    await page.emulateMedia({ colorScheme: "light" });
    await id("theme").click();
    await id("theme").click();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    await page.reload();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
  });

  test("before the first quote it says so; when control is gone, too", async () => {
    await live();
    portal.total = 0;
    await id("map_empty").filter({ hasText: "No travellers yet" }).waitFor();
    await control.close();
    await id("trouble").filter({ hasText: "Failed to connect to control" }).waitFor();
    const own = errors.filter((error) => !error.includes("ERR_CONNECTION_REFUSED"));
    expect(own).toEqual([]);
  });
});

test("files come with type, policy and validators; nothing outside the folder does", async () => {
  const env = { LISTEN_ADDRESS: "127.0.0.1:0", PORTAL_SERVICES: "a;http://127.0.0.1:9" };
  const control = await start({ env, log: { info: () => {}, warn: () => {} } }, []);
  const page = await fetch(control.url);
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  const again = await fetch(control.url, { headers: { "if-none-match": page.headers.get("etag") ?? "" } });
  expect(again.status).toBe(304);
  const map = await fetch(`${control.url}/lib/countries-110m.json`);
  expect([map.status, map.headers.get("cache-control")]).toEqual([200, "public, max-age=604800, immutable"]);
  for (const path of ["/..%2fpackage.json", "/%2e%2e/package.json", "/lib/constructor", "/%00", "/src/control.ts"]) {
    expect((await fetch(control.url + path)).status).toBe(404);
  }
  await control.close();
});
