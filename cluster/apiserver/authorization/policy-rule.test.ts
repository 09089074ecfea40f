import fc from "fast-check";
import { expect, it } from "vitest";
import type { PolicyRule } from "@travelops/kube/api/types/cluster";
import type { AuthorizationAttributes } from "../access.ts";
import { ruleAllows, uncovered } from "./policy-rule.ts";

const words = (...list: string[]): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom(...list), { minLength: 1, maxLength: 2 });

const anyRule: fc.Arbitrary<PolicyRule> = fc.record({
  verbs: words("get", "list", "*"),
  apiGroups: words("", "apps", "*"),
  resources: words("pods", "pods/log", "*/log", "*"),
  resourceNames: fc.option(words("x", "y"), { nil: undefined }),
});

const requests: readonly AuthorizationAttributes[] = ["get", "list", "watch"].flatMap((verb) =>
  ["", "apps"].flatMap((group) =>
    ["", "log"].flatMap((subresource) =>
      ["", "x", "y"].map((name) => ({
        user: { name: "u", groups: [] },
        verb,
        group,
        resource: "pods",
        subresource,
        namespace: "a",
        name,
      })),
    ),
  ),
);

it("covers a rule only where the held rules let everything pass that it lets pass", () => {
  expect.hasAssertions();
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 3 }), anyRule, (held, wanted) => {
      const beyond = requests.filter(
        (request) => ruleAllows(wanted, request) && !held.some((rule) => ruleAllows(rule, request)),
      );
      expect(uncovered(held, [wanted]).length > 0 || beyond.length === 0).toBe(true);
    }),
  );
});
