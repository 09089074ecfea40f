import { expect, it } from "vitest";
import { decodeProtobuf } from "@travelops/kube/schema/protobuf";
import { LazyEncoded } from "../request/reply.ts";
import { frameOf } from "../watch/frames.ts";
import { PROTOBUF_FRAMES, protobufList, protobufObject } from "./protobuf-body.ts";

const configMap = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { a: "b" } });

it("encodes an event once, however many watch", () => {
  const frame = frameOf("ADDED", new LazyEncoded(configMap("a")));
  expect(PROTOBUF_FRAMES.bytes(frame)).toBe(PROTOBUF_FRAMES.bytes(frame));
});

it("tells a watcher of an object that it cannot write, instead of failing the others", () => {
  const bytes = PROTOBUF_FRAMES.bytes(frameOf("ADDED", new LazyEncoded({ apiVersion: "x.io/v1", kind: "Thing" })));
  expect(bytes.readUInt32BE()).toBe(bytes.length - 4);
  expect(bytes.toString()).toContain("ERROR");
  expect(bytes.toString()).toContain("unable to encode watch object");
});

it("has no form for kinds that are not built in", async () => {
  const list = { apiVersion: "x.io/v1", kind: "ThingList", metadata: {} };
  expect([protobufObject({ ...list, kind: "Thing" }), protobufObject("text"), await protobufList(list, [])]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

it("lets others in while it encodes a long list, and writes every item of it", async () => {
  const items = Array.from({ length: 20_000 }, (_, n) => new LazyEncoded(configMap(`m${n}`)));
  let turns = 0;
  let encoding = true;
  const count = (): void => {
    turns++;
    if (encoding) setImmediate(count);
  };
  setImmediate(count);
  const body = await protobufList({ apiVersion: "v1", kind: "ConfigMapList", metadata: {} }, items);
  encoding = false;
  expect(turns).toBeGreaterThan(1);
  const whole = body?.whole() ?? Buffer.alloc(0);
  expect(whole.length).toBe(body?.length);
  const decoded = decodeProtobuf(whole).object["items"] as { metadata: { name: string } }[];
  expect([decoded.length, decoded.at(-1)?.metadata.name]).toEqual([20_000, "m19999"]);
});
