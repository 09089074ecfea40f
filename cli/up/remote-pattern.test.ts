import { describe, expect, it } from "vitest";
import { isRemote, remotePattern } from "./remote-pattern.ts";

describe("a pattern elsewhere", () => {
  it.each([
    ["https://git.example.com/me/pattern.git", { url: "https://git.example.com/me/pattern.git" }],
    [
      "https://me:s%40cret@git.example.com/p.git",
      { url: "https://git.example.com/p.git", credentials: { username: "me", password: "s@cret" } },
    ],
    [
      "https://t0ken@git.example.com/p.git",
      { url: "https://git.example.com/p.git", credentials: { username: "git", password: "t0ken" } },
    ],
    ["http://127.0.0.1:3000/p.git", { url: "http://host.travelops.internal:3000/p.git", hostPort: 3000 }],
    ["http://localhost/p.git", { url: "http://host.travelops.internal/p.git", hostPort: 80 }],
  ])("is %s to pods", (text, expected) => {
    expect(remotePattern(text, "main")).toEqual({ kind: "url", revision: "main", ...expected });
  });

  it.each(["file:///srv/p.git", "ssh://git@host/p.git", "git@host:me/p.git"])("is refused as %s, by name", (text) => {
    expect(() => remotePattern(text, "main")).toThrow(/only http and https/);
  });

  it("never shows a password in its refusal", () => {
    expect(() => remotePattern("ftp://me:secret@host/p", "main")).toThrow(/^(?!.*secret)/);
  });

  it.each([
    ["./pattern", false],
    ["/srv/pattern", false],
    ["https://x/y", true],
    ["git@host:me/p.git", true],
  ])("is told from a directory: %s %s", (text, remote) => {
    expect(isRemote(text)).toBe(remote);
  });
});
