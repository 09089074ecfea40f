/** `3` or `"25%"` of a total. */
import type { IntOrString } from "@travelops/kube";

/** Scales a percentage, rounding up or down; text that is no percentage counts as 0. */
export function scaled(value: IntOrString | undefined, total: number, round: "up" | "down"): number {
  if (value === undefined) return 0;
  if (typeof value === "number") return value;
  const match = /^(\d+)%$/.exec(value);
  if (match === null) return 0;
  const exact = (Number(match[1]) * total) / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}
