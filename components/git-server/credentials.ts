/** HTTP Basic against a mounted Secret: a directory with `username` and `password`, read anew at each use. */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";

export type CheckCredentials = (authorization: string | undefined) => Promise<boolean>;

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

export function parseBasic(header: string | undefined): { user: string; password: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? "");
  if (match?.[1] === undefined) return undefined;
  const text = Buffer.from(match[1], "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** A rotated Secret is obeyed at once, since the kubelet swaps the mounted files. */
export function mountedCredentials(dir: string): CheckCredentials {
  return async (header) => {
    const given = parseBasic(header);
    if (given === undefined) return false;
    const [user, password] = await Promise.all(
      ["username", "password"].map((file) => readFile(path.join(dir, file), "utf8")),
    );
    const userOk = timingSafeEqual(digest(given.user), digest((user ?? "").trim()));
    const passwordOk = timingSafeEqual(digest(given.password), digest((password ?? "").trim()));
    return userOk && passwordOk;
  };
}
