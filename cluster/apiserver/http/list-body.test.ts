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

  it("does not repeat the kind of every item, however an item is written", () => {
    const type = { apiVersion: "v1", kind: "Pod" };
    const metadata = { name: "a", kind: "other" };
    const items = [
      { ...type, metadata },
      { kind: "Pod", apiVersion: "v1", metadata },
      { metadata, kind: "Pod", spec: { apiVersion: "x" }, apiVersion: "v1" },
    ];
    for (const count of [0, 1, 3]) {
      const body = listBody({ kind: "PodList" }, items.slice(0, count).map(encoded), type);
      expect(body.whole().length).toBe(body.length);
      expect(JSON.parse(body.whole().toString())).toEqual({
        kind: "PodList",
        items: [{ metadata }, { metadata }, { metadata, spec: { apiVersion: "x" } }].slice(0, count),
      });
    }
  });

  it("parses no item that begins as most do", () => {
    const unparsed = {
      bytes: Buffer.from('{"apiVersion":"v1","kind":"Pod","metadata":{}}'),
      get object(): unknown {
        throw new Error("it was parsed");
      },
    };
    const body = listBody({ kind: "PodList" }, [unparsed], { apiVersion: "v1", kind: "Pod" });
    expect(body.whole().toString()).toBe('{"kind":"PodList","items":[{"metadata":{}}]}');
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
