import { describe, expect, it } from "vitest";
import { portCandidates, recordedPorts } from "./local-port.ts";

describe("local ports", () => {
  it("stay the same for a name, and what was recorded comes first", () => {
    expect(portCandidates("hub", "a.x")).toEqual(portCandidates("hub", "a.x"));
    expect(portCandidates("hub", "a.x")[0]).not.toBe(portCandidates("east", "a.x")[0]);
    expect(portCandidates("hub", "a.x", recordedPorts("http://127.0.0.1:23456"))[0]).toBe(23_456);
    expect(recordedPorts("http://127.0.0.1:1,https://127.0.0.1:2/p")).toEqual([1, 2]);
  });
});
