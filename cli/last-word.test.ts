import { expect, test } from "vitest";
import { lastWord } from "./last-word.ts";

test("is the last line of a log", () => expect(lastWord("one\ntwo\n")).toBe("two"));
test("of nothing is nothing", () => expect(lastWord("\n")).toBe(""));

test("is the error, where Node ended over it", () => {
  const printed = `node:internal/modules/esm/resolve:241
    throw new ERR_MODULE_NOT_FOUND(
          ^

Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/a.ts'
    at moduleResolve (node:internal/modules/esm/resolve:846:10) {
  code: 'ERR_MODULE_NOT_FOUND'
}

Node.js v26.10.0
`;
  expect(lastWord(printed)).toBe("Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/a.ts'");
  expect(lastWord("StatusError: things are forbidden\n    at f (a.ts:1:1)\n\nNode.js v26.10.0")).toBe(
    "StatusError: things are forbidden",
  );
  expect(lastWord("Node.js v26.10.0")).toBe("Node.js v26.10.0");
});
