import { describe, expect, it } from "vitest";
import { warningHeaders } from "./warning-headers.ts";

describe("warnings as headers", () => {
  it("quotes them, in bytes that other clients read as UTF-8", () => {
    const [header = ""] = warningHeaders(['say "é" \\']);
    expect(Buffer.from(header, "latin1").toString("utf8")).toBe('299 - "say \\"é\\" \\\\"');
  });

  it("leaves out what cannot stand in a header", () => {
    expect(warningHeaders(["a\nb", "", "c\u0085", "d"])).toEqual(['299 - "d"']);
  });

  it("cuts them short when they are more than four thousand characters together", () => {
    const long = "x".repeat(300);
    expect(warningHeaders(Array.from({ length: 13 }, () => long))).toHaveLength(13);
    const many = warningHeaders(Array.from({ length: 30 }, () => long));
    expect(many).toHaveLength(16);
    expect(many[0]).toBe(`299 - "${"x".repeat(256)}"`);
  });
});
