import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listBody } from "./list-body.ts";

const encoded = (object: unknown) => ({ object, bytes: Buffer.from(JSON.stringify(object)) });

describe("a list's body", () => {
  it("is the JSON of envelope and items, and as long as it says, in pieces and whole", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 20 }), (values) => {
        const envelope = { kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "7" } };
        const body = listBody(envelope, values.map(encoded));
        const whole = body.whole();
        expect(JSON.parse(whole.toString())).toEqual(JSON.parse(JSON.stringify({ ...envelope, items: values })));
        expect(whole.length).toBe(body.length);
        expect(Buffer.concat([...body.chunks()])).toEqual(whole);
      }),
    );
  });

  it("comes in pieces when it is large", () => {
    const body = listBody(
      { kind: "PodList" },
      Array.from({ length: 12_000 }, (_, n) => encoded({ n, text: "x".repeat(1000) })),
    );
    const pieces = [...body.chunks()];
    expect(pieces.length).toBeGreaterThan(2);
    for (const piece of pieces) expect(piece.length).toBeLessThan(5 * 1024 * 1024);
    expect(Buffer.concat(pieces).equals(body.whole())).toBe(true);
  });
});
