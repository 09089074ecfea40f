import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, resolve, sep } from "node:path";
import type { Reply, Request } from "../shared/http-server.ts";
import { headerOf } from "../shared/propagation.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".txt": "text/plain; charset=utf-8",
};

/** Browser files of packages, by the path the page asks for; versions never change under a running pod. */
const PACKAGE_FILES: Readonly<Record<string, string>> = {
  "lib/d3-array.js": "d3-array/dist/d3-array.min.js",
  "lib/d3-geo.js": "d3-geo/dist/d3-geo.min.js",
  "lib/topojson-client.js": "topojson-client/dist/topojson-client.min.js",
  "lib/countries-110m.json": "world-atlas/countries-110m.json",
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join("; ");

const NOT_FOUND: Reply = {
  status: 404,
  headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  body: "404 page not found\n",
};

interface Loaded {
  readonly body: Buffer;
  readonly etag: string;
  readonly stamp: string;
}

/** Serves the dashboard from `root`, and the few package files it uses. */
export function staticFiles(root: string): (request: Request) => Promise<Reply> {
  const resolvePackage = createRequire(import.meta.url).resolve;
  const loaded = new Map<string, Loaded>();

  const fileFor = (path: string): { file: string; immutable: boolean } | undefined => {
    const packaged = Object.hasOwn(PACKAGE_FILES, path) ? PACKAGE_FILES[path] : undefined;
    if (packaged !== undefined) return { file: packageFile(resolvePackage, packaged), immutable: true };
    const file = resolve(root, path === "" || path === "console" ? "index.html" : path);
    return file.startsWith(root + sep) ? { file, immutable: false } : undefined;
  };

  const load = async (file: string): Promise<Loaded | undefined> => {
    const info = await stat(file).catch(() => undefined);
    if (!info?.isFile()) return undefined;
    const stamp = `${info.mtimeMs}-${info.size}`;
    const known = loaded.get(file);
    if (known?.stamp === stamp) return known;
    const body = await readFile(file);
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`;
    const fresh = { body, etag, stamp };
    loaded.set(file, fresh);
    return fresh;
  };

  return async (request) => {
    const path = (request.params["path"] ?? "").replace(/\/+$/, "");
    if (path.includes("\0")) return NOT_FOUND;
    const found = fileFor(path);
    const content = found && (await load(found.file));
    if (!found || !content) return NOT_FOUND;
    const headers = {
      etag: content.etag,
      "cache-control": found.immutable ? "public, max-age=604800, immutable" : "no-cache",
      "content-type": TYPES[extname(found.file)] ?? "application/octet-stream",
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    };
    const known = headerOf(request.headers, "if-none-match");
    if (known.split(",").some((tag) => tag.trim().replace(/^W\//, "") === content.etag)) {
      return { status: 304, headers };
    }
    return { status: 200, headers, body: content.body };
  };
}

/** A file inside an installed package; its `exports` may hide it, its package.json or main file does not. */
function packageFile(resolvePackage: (id: string) => string, path: string): string {
  const [name = ""] = path.split("/", 1);
  const main = resolvePackage(name === "world-atlas" ? "world-atlas/countries-110m.json" : name);
  const folder = main.slice(0, main.lastIndexOf(`${sep}${name}${sep}`));
  return resolve(folder, path);
}
