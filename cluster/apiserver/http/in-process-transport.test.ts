import { expect, test } from "vitest";
import { LazyEncoded, type Reply } from "../request/reply.ts";
import { frameOf } from "../watch/frames.ts";
import { inProcessTransport } from "./in-process-transport.ts";

const FRAMES = 5_000;

test("a large state that is read at once leaves room for everyone else, and comes whole and in order", async () => {
  const frames = Array.from({ length: FRAMES }, (_, n) => frameOf("ADDED", new LazyEncoded({ n })));
  const reply: Reply = {
    kind: "watch",
    open(sink) {
      sink.send(frames);
      return () => sink.end();
    },
  };
  const transport = inProcessTransport({
    handler: () => Promise.resolve(reply),
    user: { name: "reader", groups: [] },
    nextId: () => "1",
    closing: new AbortController().signal,
  });
  const seen: unknown[] = [];
  let seenByOthers: number | undefined;
  setImmediate(() => (seenByOthers = seen.length));
  for await (const { object } of transport.watch({ method: "GET", path: "/api/v1/pods" })) {
    seen.push((object as { n: number }).n);
    if (seen.length === FRAMES) break;
  }
  expect(seen).toEqual(Array.from({ length: FRAMES }, (_, n) => n));
  expect(seenByOthers).toBeLessThan(FRAMES);
});
