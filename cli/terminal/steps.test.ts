import { describe, expect, it } from "vitest";
import { duration, jsonSteps, textSteps, type Terminal } from "./steps.ts";

function terminal(fields: Partial<Terminal>): Terminal & { text: () => string } {
  const written: string[] = [];
  return {
    interactive: false,
    color: false,
    columns: 40,
    write: (text) => void written.push(text),
    text: () => written.join(""),
    ...fields,
  };
}

describe("the steps of a command", () => {
  it("are one plain line an outcome where there is no terminal", async () => {
    const out = terminal({});
    const steps = textSteps(out, () => 0);
    await steps.run(
      "Cluster hub",
      (update) => {
        update("unseen");
        return Promise.resolve(3);
      },
      (nodes) => `${nodes} nodes`,
    );
    await expect(steps.run("Repository", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(out.text()).toBe("  ✓ Cluster hub: 3 nodes (0 ms)\n  ✗ Repository (0 ms)\n");
  });

  it("never fill more than a line while they run", async () => {
    const out = terminal({ interactive: true });
    await textSteps(out, () => 0).run("Applications", (update) => {
      update("x".repeat(200));
      return Promise.resolve();
    });
    const lines = out
      .text()
      .split("\r\x1b[2K")
      .filter((line) => line.includes("…"));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
  });

  it("are events for programs", async () => {
    const lines: string[] = [];
    await jsonSteps(
      (line) => lines.push(line),
      () => 0,
    ).run(
      "Git server",
      () => Promise.resolve("url"),
      (url) => url,
    );
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { step: "Git server", state: "started" },
      { step: "Git server", state: "done", durationMs: 0, detail: "url" },
    ]);
  });

  it.each([
    [0, "0 ms"],
    [999.4, "999 ms"],
    [1000, "1.0 s"],
    [61_500, "61.5 s"],
  ])("tell %i ms as %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
