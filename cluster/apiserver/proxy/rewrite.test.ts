import { expect, test } from "vitest";
import { rewritten } from "./rewrite.ts";
import { splitName } from "./targets.ts";

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString("utf8");
}

const AT = "/api/v1/namespaces/a/services/web/proxy";
const page = { "content-type": "text/html; charset=utf-8" };

test("links of a page stay below the proxy, others and text stay as they are", async () => {
  const source = ['<a href="/x?y=1">/x</a><img src=', '\'/é.png\'><a href="//other/z"><a href="rel"><p>href="/no"</p>'];
  const { chunks, headers } = rewritten(
    { code: 200, headers: { ...page, "content-length": "99" }, chunks: pieces(...source) },
    AT,
  );
  expect(headers).not.toHaveProperty("content-length");
  expect(await textOf(chunks)).toBe(
    `<a href="${AT}/x?y=1">/x</a><img src='${AT}/é.png'><a href="//other/z"><a href="rel"><p>href="/no"</p>`,
  );
});

test("redirects stay below it, too; what is no page passes as it is", async () => {
  const moved = rewritten({ code: 302, headers: { location: "/here" }, chunks: pieces("") }, AT);
  expect(moved.headers).toMatchObject({ location: `${AT}/here` });
  const away = rewritten({ code: 302, headers: { location: "https://example.com/" }, chunks: pieces("") }, AT);
  expect(away.headers).toMatchObject({ location: "https://example.com/" });
  const json = rewritten(
    { code: 200, headers: { "content-type": "application/json" }, chunks: pieces('"<a href="/x">"') },
    AT,
  );
  expect(await textOf(json.chunks)).toBe('"<a href="/x">"');
});

test.each([
  ["web", { scheme: "", name: "web", port: "" }],
  ["web:80", { scheme: "", name: "web", port: "80" }],
  ["https:web:", { scheme: "https", name: "web", port: "" }],
  ["https:web:tls", { scheme: "https", name: "web", port: "tls" }],
  [":web:80", { scheme: "", name: "web", port: "80" }],
  ["ftp:web:80", undefined],
  ["a:b:c:d", undefined],
  [":80", undefined],
])("%s", (name, split) => {
  expect(splitName(name)).toEqual(split);
});
