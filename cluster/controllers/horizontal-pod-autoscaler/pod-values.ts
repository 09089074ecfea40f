/** What pods use and ask for of one resource, in thousandths. Pure. */
import { parseQuantity, type Pod, type PodMetrics, quantityMilli, tryParseQuantity } from "@travelops/kube";

/** `container`: only that one counts. */
export interface MeasuredResource {
  readonly name: string;
  readonly container?: string;
}

export interface PodValue {
  readonly milli: number;
  readonly at: number;
  readonly windowMs: number;
}

const milliOf = (text: string): number => Number(quantityMilli(parseQuantity(text)));

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A Go duration: `15s`, `1m30s`. */
export function durationMs(text: string): number {
  let sum = 0;
  for (const [, count, unit = ""] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) sum += Number(count) * (UNITS[unit] ?? 0);
  return sum;
}

/** By the pods' names; those of which something is not known are left out. */
export function podValues(
  metrics: readonly PodMetrics[],
  { name, container }: MeasuredResource,
): Map<string, PodValue> {
  const values = new Map<string, PodValue>();
  for (const { metadata, containers, timestamp, window } of metrics) {
    const counted = container === undefined ? containers : containers.filter((one) => one.name === container);
    const used = counted.map((one) => one.usage[name]);
    if (used.length === 0 || used.some((one) => one === undefined || tryParseQuantity(one) === undefined)) continue;
    const milli = used.reduce((sum, one) => sum + milliOf(one ?? "0"), 0);
    values.set(metadata.name ?? "", { milli, at: Date.parse(timestamp), windowMs: durationMs(window) });
  }
  return values;
}

/** By the pods' names; throws where a container, or a pod that asks as a whole, does not say what it needs. */
export function podRequests(pods: readonly Pod[], measured: MeasuredResource): Map<string, number> {
  return new Map(pods.map((pod) => [pod.metadata.name ?? "", podRequest(pod, measured)]));
}

function podRequest(pod: Pod, { name, container }: MeasuredResource): number {
  const { spec, metadata } = pod;
  const whole = spec.resources?.requests ?? {};
  if (container === undefined && Object.keys(whole).length > 0) {
    if (whole[name] === undefined) throw new Error(`missing pod-level request for ${name} in Pod ${metadata.name}`);
    return milliOf(String(whole[name]));
  }
  const sidecars = (spec.initContainers ?? []).filter((one) => one.restartPolicy === "Always");
  const asked = [...spec.containers, ...sidecars].filter((one) => container === undefined || one.name === container);
  if (asked.length === 0) throw new Error(`container ${container} not found in Pod ${metadata.name}`);
  let sum = 0;
  for (const one of asked) {
    const request = one.resources?.requests?.[name];
    if (request === undefined)
      throw new Error(`missing request for ${name} in container ${one.name} of Pod ${metadata.name}`);
    sum += milliOf(String(request));
  }
  return sum;
}
