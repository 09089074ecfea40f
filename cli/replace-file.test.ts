import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const canMount = spawnSync("unshare", ["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

/** On a disk that is full but for what the file has: [code of `replaceJson`, what `replaceOrOverwriteJson` leaves]. */
const PROGRAM = `
import fs from "node:fs";
import { replaceJson, replaceOrOverwriteJson } from "./replace-file.ts";
import { withStateLock } from "./state-lock.ts";
import { dataDirOf } from "./data-dir.ts";
const dir = dataDirOf("/mnt", {}, "/");
fs.writeFileSync(dir.runFile, "{}\\n");
fs.writeFileSync(dir.lockFile, "");
const fill = fs.openSync("/mnt/fill", "w");
try { for (;;) fs.writeSync(fill, Buffer.alloc(4096)); } catch {}
const seen = [];
await replaceJson(dir.runFile, { a: 1 }).catch((error) => seen.push(error.code));
await withStateLock(dir, () => replaceOrOverwriteJson(dir.runFile, { a: 2 }));
seen.push(fs.readFileSync(dir.runFile, "utf8"));
await replaceOrOverwriteJson(dir.runFile, "x".repeat(9000)).catch((error) => seen.push(error.code));
seen.push(fs.readFileSync(dir.runFile, "utf8"), fs.readdirSync("/mnt").sort().join());
console.log(JSON.stringify(seen));
`;

test.runIf(canMount)("what has to be said on a full disk is said in the room that the file has", () => {
  const { stdout, stderr } = spawnSync(
    "unshare",
    [
      ...["-Urm", "sh", "-c", 'mount -t tmpfs -o size=256k tmpfs /mnt && exec "$@"', "sh", process.execPath],
      ...["--input-type=module-typescript", "-e", PROGRAM],
    ],
    { cwd: import.meta.dirname, encoding: "utf8" },
  );
  const written = `{\n  "a": 2\n}\n`;
  expect(stdout, stderr).toBe(
    `${JSON.stringify(["NO_ROOM", written, "NO_ROOM", written, ["fill", "lock.db", "run.json"].join()])}\n`,
  );
});
