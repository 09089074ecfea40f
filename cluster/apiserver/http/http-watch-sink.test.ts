import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { LazyEncoded, type EncodedFrame } from "../request/reply.ts";
import { frameOf } from "../watch/frames.ts";
import { httpWatchSink } from "./http-watch-sink.ts";

class Response extends EventEmitter {
  readonly written: string[] = [];
  takes = true;
  ended = false;
  destroyed = false;
  write(chunk: Buffer): boolean {
    this.written.push(chunk.toString());
    return this.takes;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

const frame = (text: string): EncodedFrame => frameOf("ADDED", new LazyEncoded(text));

function open(limit = 100): { response: Response; sink: ReturnType<typeof httpWatchSink>; stopped: () => number } {
  const response = new Response();
  const sink = httpWatchSink(response as unknown as ServerResponse, limit);
  let stops = 0;
  sink.start(() => stops++);
  return { response, sink, stopped: () => stops };
}

describe("a watch over HTTP", () => {
  it("writes the events of one commit at once", () => {
    const { response, sink } = open();
    sink.send([frame("a"), frame("b")]);
    expect(response.written).toEqual(['{"type":"ADDED","object":"a"}\n{"type":"ADDED","object":"b"}\n']);
  });

  it("waits for a slow client, then goes on in order", () => {
    const { response, sink } = open();
    response.takes = false;
    sink.send([frame("a")]);
    sink.send([frame("b")]);
    sink.send([frame("c")]);
    expect(response.written).toHaveLength(1);
    response.takes = true;
    response.emit("drain");
    expect(response.written.join("")).toContain('"b"}\n{"type":"ADDED","object":"c"');
    expect(sink.backlog).toBe(0);
  });

  it("cuts off a client that does not keep up, and stops the watch", () => {
    const { response, sink, stopped } = open(100);
    response.takes = false;
    for (let i = 0; i < 10; i++) sink.send([frame("x".repeat(50))]);
    expect(response.destroyed).toBe(true);
    expect(stopped()).toBe(1);
  });

  it("sends what is left before it ends", () => {
    const { response, sink, stopped } = open();
    response.takes = false;
    sink.send([frame("a")]);
    sink.send([frame("b")]);
    sink.end();
    expect(response.ended).toBe(false);
    expect(stopped()).toBe(1);
    response.takes = true;
    response.emit("drain");
    expect(response.written.join("")).toContain('"b"');
    expect(response.ended).toBe(true);
  });
});
