import { describe, expect, it } from "vitest";
import { unifiedDiff } from "./unified-diff.ts";

const lines = (count: number, change: Readonly<Record<number, string>> = {}): string =>
  Array.from({ length: count }, (_, at) => change[at + 1] ?? `line ${at + 1}`).join("\n");

/** Expected texts are those of Python's difflib. */
describe("unified diff", () => {
  it("is empty where nothing changes", () => {
    expect(unifiedDiff(lines(9), lines(9))).toBe("");
  });

  it("shows three lines around a change", () => {
    expect(unifiedDiff(lines(9), lines(9, { 5: "five" }))).toBe(
      "@@ -2,7 +2,7 @@\n line 2\n line 3\n line 4\n-line 5\n+five\n line 6\n line 7\n line 8\n",
    );
  });

  it("tells changes together whose surroundings meet, and others apart", () => {
    const near = unifiedDiff(lines(20), lines(20, { 5: "five", 11: "eleven" }));
    const far = unifiedDiff(lines(20), lines(20, { 5: "five", 13: "thirteen" }));
    expect(near?.match(/^@@.*$/gm)).toEqual(["@@ -2,13 +2,13 @@"]);
    expect(far?.match(/^@@.*$/gm)).toEqual(["@@ -2,7 +2,7 @@", "@@ -10,7 +10,7 @@"]);
  });

  it("counts what was added and taken away at the ends", () => {
    expect(unifiedDiff("a", "a\nb")).toBe("@@ -1 +1,2 @@\n a\n+b\n");
    expect(unifiedDiff("a\nb", "b")).toBe("@@ -1,2 +1 @@\n-a\n b\n");
  });

  it("gives up where it would take long, or say too much", () => {
    const many = (of: (at: number) => string): string => Array.from({ length: 20_000 }, (_, at) => of(at)).join("\n");
    const scattered = [many((at) => (at % 2 === 0 ? `a${at}` : `${at % 190}`)), many((at) => `${(at * 7) % 190}`)];
    expect(unifiedDiff(scattered[0] ?? "", scattered[1] ?? "")).toBeUndefined();
    expect(
      unifiedDiff(
        many(String),
        many((at) => `x${at}`),
      ),
    ).toBeUndefined();
    expect(
      unifiedDiff(
        many(String),
        many((at) => (at === 9 ? "x" : String(at))),
      ),
    ).toContain("-9\n+x\n");
  });

  it("finds changes among lines that stand everywhere in a long text", () => {
    const text = Array.from({ length: 300 }, (_, at) => (at % 2 === 0 ? "{" : `  ${at}`));
    const changed = text.with(151, "  changed");
    expect(unifiedDiff(text.join("\n"), changed.join("\n"))).toBe(
      "@@ -149,7 +149,7 @@\n {\n   149\n {\n-  151\n+  changed\n {\n   153\n {\n",
    );
  });
});
