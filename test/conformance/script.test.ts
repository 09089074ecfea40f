/** The scripts' own language: what is read is written back, and what placeholders stand for. */
import { expect, test } from "vitest";
import { matchLines, matchStart } from "./pattern.ts";
import { parseScript, renderScript } from "./script.ts";
import { words } from "./words.ts";

const TEXT = `# Words.

-- a.yaml
a: b
---
c: d
--

$ kubectl get x -o yaml
a: b
\\# not a comment

~ kubectl get y
! Error: gone
? 1

& w kubectl get z -w

@ w
NAME   AGE
`;

test("a script is read and written back as it was", () => {
  const script = parseScript(TEXT);
  expect(renderScript(script)).toBe(TEXT);
  expect(script.blocks.map((block) => block.type)).toEqual(["text", "file", "step", "step", "step", "step"]);
  expect(script.blocks[3]).toMatchObject({ kind: "retry", stderr: ["Error: gone"], code: 1 });
  expect(() => parseScript("-- a.yaml\nno end\n")).toThrow("line 1: the file a.yaml has no end");
});

test("placeholders stand for what differs, and keep what they name", () => {
  const variables = new Map([["ns", "shop"]]);
  const seen = matchLines(
    ["NAME   AGE", "${ns}/<$pod>   <age>", "...", "end"],
    "NAME      AGE\nshop/web-1  12s\nx\ny\nend\n",
    variables,
  );
  expect(seen?.get("pod")).toBe("web-1");
  expect(matchLines(["a"], "a\nb\n", variables)).toBeUndefined();
  expect(matchLines(["  a: <n>"], " a: 1\n", variables)).toBeUndefined();
  expect(matchStart(["a"], "a\nb\n", variables)).toBe(2);
});

test("words are split without a shell", () => {
  const line = words(`kubectl patch x -p '{"a": 1}' "b \\"c\\"" $HOME > out`, (text) => text);
  expect(line).toEqual({
    program: "kubectl",
    args: ["patch", "x", "-p", '{"a": 1}', 'b "c"', "$HOME"],
    from: undefined,
    into: "out",
  });
});
