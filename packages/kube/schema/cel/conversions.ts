/** Functions that the engine's checker lacks, which have no library of their own. */
import type { Environment } from "@marcbachmann/cel-js";

const TIME = "google.protobuf.Timestamp";
const DURATION = "google.protobuf.Duration";

const SIGNATURES = [
  `string(${TIME}): string`,
  `string(${DURATION}): string`,
  `int(${TIME}): int`,
  `int(${DURATION}): int`,
  "int(uint): int",
  `timestamp(${TIME}): ${TIME}`,
  `duration(${DURATION}): ${DURATION}`,
  `duration(int): ${DURATION}`,
  "matches(string, string): bool",
  "OptionalNamespace.ofNonZeroValue(A): optional<A>",
  "OptionalNamespace.unwrap(list): list",
  "list.unwrapOpt(): list",
];

/** Nothing is evaluated by the checker. */
const never = (): never => {
  throw new Error("only checked");
};

export function addConversions(env: Environment): void {
  for (const signature of SIGNATURES) env.registerFunction(signature, never);
  for (const order of ["<", "<=", ">", ">="]) env.registerOperator(`bytes ${order} bytes`, never);
}
