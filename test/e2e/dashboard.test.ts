/** The dashboard in a real browser, by the ids that upstream's own Playwright test fills. */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { patternIn } from "./pattern-under-test.ts";
import { portals } from "./travel-control.ts";
import { until } from "./until.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];

/** Runs in the page. */
const COUNT_COLOURS = `async (png) => {
  const image = new Image();
  image.src = "data:image/png;base64," + png;
  await image.decode();
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  return new Set(new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer)).size;
}`;

const { dataDir } = inject("travelops");

describe.skipIf(!existsSync(CHROMIUM))(`the dashboard in Chromium (${CHROMIUM}; skipped where there is none)`, () => {
  const pattern = patternIn(dataDir);
  const faults: string[] = [];
  let browser: Browser;
  let page: Page;
  let control = "";

  beforeAll(async () => {
    const { urls } = await pattern.settled();
    control = urls.find((each) => each.name === "control")?.url ?? "";
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    page.on("request", (request) => {
      if (!/^(data:|blob:)/.test(request.url()) && !request.url().startsWith(control))
        faults.push(`outside: ${request.url()}`);
    });
    await page.goto(`${control}/console`);
  });
  afterAll(async () => {
    await browser.close();
    pattern.close();
  });

  test("sliders filled by id reach every portal", async () => {
    for (const portal of ["travels.uk", "viaggi.it", "voyages.fr"]) {
      await page.locator(`[id="${portal}_ratio"]`).fill("90");
      await page.locator(`[id="${portal}_device_mobile"]`).fill("60");
      await page.locator(`[id="${portal}_user_registered"]`).fill("40");
      await page.locator(`[id="${portal}_travel_t3"]`).fill("50");
    }
    const seen = await until("the portals have the settings", async () => {
      const all = await portals(control);
      if (all.every((each) => each.settings.travel_type.t3 === 50)) return all;
      throw new Error(JSON.stringify(all.map(({ name, settings, status }) => [name, settings, status.error])));
    });
    for (const { settings } of seen)
      expect(settings).toMatchObject({
        request_ratio: 90,
        devices: { web: 40, mobile: 60 },
        users: { registered: 40, new: 60 },
      });
  });

  test("the total on the page grows", async () => {
    const total = async (): Promise<number> =>
      Number((await page.locator('[id="total"]').textContent())?.replace(/\D/g, "") ?? "0");
    const before = await total();
    await until("the total has grown", async () => (await total()) > before);
    expect(await page.locator('[id="connection"]').textContent()).toContain("3");
  });

  test("it looks like something, and the console is silent", async () => {
    const shot = await page.screenshot();
    const colours = await page.evaluate<number>(`(${COUNT_COLOURS})("${shot.toString("base64")}")`);
    expect(colours).toBeGreaterThan(100);
    expect(faults).toEqual([]);
  });
});
