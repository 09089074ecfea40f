/**
 * The `KUBE_EDITOR` of scripts: shows what kubectl says at the top of the file beyond its greeting, and does what the next line of `edits.txt`
 * says: `s/FROM/TO/` (a regular expression, on every line), `d/WHAT/` (lines with it), or `none`.
 */
import { readFileSync, writeFileSync } from "node:fs";

const EDITS = "edits.txt";
const GREETING = 4;

function edited(text: string, edit: string): string {
  const [, what, from = "", to = ""] = /^([sd])\/(.*?)\/(?:(.*)\/)?$/.exec(edit) ?? [];
  if (what === "s") return text.replace(new RegExp(from, "gm"), to);
  if (what === "d") return text.replace(new RegExp(`^.*${from}.*\n`, "gm"), "");
  if (edit !== "none") throw new Error(`${EDITS} has no edit for this file, or one that is none: ${edit}`);
  return text;
}

const file = process.argv.at(-1) ?? "";
const text = readFileSync(file, "utf8");
const [next = "", ...rest] = readFileSync(EDITS, "utf8").split("\n");
writeFileSync(EDITS, rest.join("\n"));
const lines = text.split("\n");
const remarks = lines.slice(
  0,
  lines.findIndex((line) => !line.startsWith("#")),
);
for (const remark of remarks.slice(GREETING)) if (remark !== "#") console.log(remark.replace(/^#/, "|"));
writeFileSync(file, edited(text, next));
