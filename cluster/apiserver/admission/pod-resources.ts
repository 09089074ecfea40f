/** What a pod asks for in all: containers add up, init containers count where one of them needs more. */
import type { KubeObject } from "@travelops/kube";
import { addQuantity, compareQuantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import type { Quantity } from "@travelops/kube/api/quantity";
import { podSpec } from "./pod-shape.ts";
import type { ContainerShape } from "./pod-shape.ts";

export type Amounts = ReadonlyMap<string, Quantity>;

export function amountsOf(list: Readonly<Record<string, string | number>> | undefined): Map<string, Quantity> {
  const amounts = new Map<string, Quantity>();
  for (const [name, text] of Object.entries(list ?? {})) {
    const quantity = tryParseQuantity(text);
    if (quantity !== undefined) amounts.set(name, quantity);
  }
  return amounts;
}

function addAmounts(total: Map<string, Quantity>, more: Amounts): Map<string, Quantity> {
  for (const [name, quantity] of more) {
    const sum = total.get(name);
    total.set(name, sum === undefined ? quantity : addQuantity(sum, quantity));
  }
  return total;
}

function raise(total: Map<string, Quantity>, least: Amounts): void {
  for (const [name, quantity] of least) {
    const have = total.get(name);
    if (have === undefined || compareQuantity(have, quantity) < 0) total.set(name, quantity);
  }
}

/** What a pod as a whole may state; other resources are its containers' alone. */
const isOfPods = (name: string): boolean => name === "cpu" || name === "memory" || name.startsWith("hugepages-");

/** Requests or limits of a whole pod: what its containers state, and what it states itself instead. */
export function podAmounts(pod: KubeObject, which: "requests" | "limits"): Map<string, Quantity> {
  const spec = podSpec(pod);
  const of = (container: ContainerShape): Map<string, Quantity> => amountsOf(container.resources?.[which]);
  const running = new Map<string, Quantity>();
  const initial = new Map<string, Quantity>();
  const sidecars = new Map<string, Quantity>();
  for (const container of spec.initContainers ?? []) {
    const staysOn = (container as { restartPolicy?: string }).restartPolicy === "Always";
    if (staysOn) addAmounts(sidecars, of(container));
    raise(initial, staysOn ? sidecars : addAmounts(new Map(sidecars), of(container)));
  }
  addAmounts(running, sidecars);
  for (const container of spec.containers ?? []) addAmounts(running, of(container));
  raise(running, initial);
  for (const [name, amount] of amountsOf(spec.resources?.[which])) if (isOfPods(name)) running.set(name, amount);
  return running;
}

/** The same with what running it costs beside its containers: added to what is requested, and to limits there are. */
export function podCharge(pod: KubeObject, which: "requests" | "limits"): Map<string, Quantity> {
  const amounts = podAmounts(pod, which);
  const overhead = amountsOf(podSpec(pod).overhead);
  if (which === "limits") for (const name of [...overhead.keys()]) if (!amounts.has(name)) overhead.delete(name);
  return addAmounts(amounts, overhead);
}
