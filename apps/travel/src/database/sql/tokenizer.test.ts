import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MySqlError } from "../errors.ts";
import { tokenize } from "./tokenizer.ts";

const MODE = { ansiQuotes: false, noBackslashEscapes: false };

const kinds = (sql: string) => tokenize(sql, MODE).map((token) => [token.kind, token.value]);

describe("tokenize", () => {
  test("tells names, strings, numbers and operators apart", () => {
    expect(kinds("a.`b``c` <=> 'it''s' 1.5e3 .5 0x1F ?")).toEqual([
      ["word", "a"],
      ["operator", "."],
      ["quoted", "b`c"],
      ["operator", "<=>"],
      ["string", "it's"],
      ["number", "1.5e3"],
      ["number", ".5"],
      ["bytes", "1F"],
      ["parameter", "?"],
      ["end", ""],
    ]);
  });

  test("reads escapes as the mode says", () => {
    expect(kinds(String.raw`'a\n\'\\\%'`)[0]).toEqual(["string", "a\n'\\\\%"]);
    expect(tokenize(String.raw`'a\n'`, { ...MODE, noBackslashEscapes: true })[0]?.value).toBe(String.raw`a\n`);
    expect(tokenize('"name"', { ...MODE, ansiQuotes: true })[0]?.kind).toBe("quoted");
  });

  test("leaves out comments, but not those meant for this version", () => {
    expect(kinds("1 -- x\n+ # y\n/* z */ 2 /*!50000 + 3 */ /*!90000 + 4 */").map(([, value]) => value)).toEqual([
      "1",
      "+",
      "2",
      "+",
      "3",
      "",
    ]);
    expect(kinds("5--3").map(([, value]) => value)).toEqual(["5", "-", "-", "3", ""]);
  });

  test.each(["'open", "`open", "/* open", "/*!50000 1", "\u0001"])("%j is a syntax error", (sql) => {
    expect(() => tokenize(sql, MODE)).toThrow(MySqlError);
  });

  test("any string comes back as it was, quoted", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const sql = `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
        expect(kinds(sql)).toEqual([
          ["string", text],
          ["end", ""],
        ]);
      }),
    );
  });

  test("any text gives tokens in order, or a syntax error", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        let tokens;
        try {
          tokens = tokenize(text, MODE);
        } catch (error) {
          expect(error).toMatchObject({ code: 1064 });
          return;
        }
        let at = 0;
        for (const token of tokens) {
          expect(token.start).toBeGreaterThanOrEqual(at);
          expect(token.end).toBeGreaterThanOrEqual(token.start);
          at = token.end;
        }
        expect(at).toBe(text.length);
      }),
      { numRuns: 500 },
    );
  });
});
