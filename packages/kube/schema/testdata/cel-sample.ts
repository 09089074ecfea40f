/** A schema of many types and an object of it, for tests of CEL rules. */

export const rule = (text: string, more: object = {}): object => ({
  "x-kubernetes-validations": [{ rule: text, ...more }],
});
export const string = { type: "string" };
export const integer = { type: "integer" };

export const PROPERTIES = {
  a: integer,
  b: integer,
  s: string,
  t: string,
  l: { type: "array", items: integer },
  m: { type: "object", additionalProperties: string },
  d: { type: "string", format: "duration" },
  ts: { type: "string", format: "date-time" },
  n: { type: "number" },
  o: { type: "object", properties: { "x-y": integer, in: integer } },
};
export const SPEC = {
  a: 1,
  b: 2,
  s: "hello",
  t: "10.0.0.1",
  l: [1, 2, 3],
  m: { k: "v" },
  d: "1h",
  ts: "2020-01-01T00:00:00Z",
  n: 1.5,
  o: { "x-y": 2, in: 3 },
};
