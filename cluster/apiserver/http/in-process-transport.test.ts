import { expect, test } from "vitest";
import { tooManyRequests } from "@travelops/kube";
import { LazyEncoded, objectReply, type Reply } from "../request/reply.ts";
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

test("a server that is too busy is asked again; one that goes on refusing is believed", async () => {
  const transportOf = (refusals: number, asked: string[]) =>
    inProcessTransport({
      handler: (call) => {
        asked.push(call.id);
        const busy = tooManyRequests("later", 0.001).status;
        return Promise.resolve(asked.length <= refusals ? objectReply(busy, 429) : objectReply({ kind: "Fine" }));
      },
      user: { name: "controller", groups: [] },
      nextId: () => String(asked.length + 1),
      closing: new AbortController().signal,
    });
  const twice: string[] = [];
  const request = { method: "GET" as const, path: "/api/v1/namespaces/x" };
  expect((await transportOf(2, twice).call(request)).body).toEqual({ kind: "Fine" });
  expect(twice).toEqual(["1", "2", "3"]);
  await expect(transportOf(Infinity, []).call(request)).rejects.toMatchObject({ code: 429 });
});
