/** How many replicas one metric asks for. Pure. */
import { findCondition, type Pod } from "@travelops/kube";
import type { PodValue } from "./pod-values.ts";

/** A pod that starts uses more than it will: its CPU time counts only once it has been ready for a while. */
const CPU_INITIALIZATION_MS = 300_000;
const INITIAL_READINESS_MS = 30_000;

export type Target =
  /** Percent of what the pods ask for, by their names; throws where that is not known. */
  | { readonly kind: "utilization"; readonly percent: number; readonly requests: () => ReadonlyMap<string, number> }
  /** Thousandths a pod. */
  | { readonly kind: "value"; readonly milli: number };

export interface CountInput {
  readonly pods: readonly Pod[];
  readonly values: ReadonlyMap<string, PodValue>;
  readonly target: Target;
  readonly isCpu: boolean;
  readonly current: number;
  /** How far the ratio of use to target may be off before anything is done. */
  readonly tolerance: { readonly up: number; readonly down: number };
  readonly now: number;
}

export interface Count {
  readonly replicas: number;
  /** Percent; only against a utilization. */
  readonly utilization?: number;
  readonly averageMilli: number;
}

interface Groups {
  readonly ready: number;
  /** They end or have failed: they do not count at all. */
  readonly over: readonly string[];
  readonly ignored: readonly string[];
  readonly missing: readonly string[];
}

/** Unready pods are ignored, but not without consequence; those without metrics are missing. */
export function groupPods({ pods, values, isCpu, now }: CountInput): Groups {
  const over: string[] = [];
  const ignored: string[] = [];
  const missing: string[] = [];
  let ready = 0;
  for (const pod of pods) {
    const { name = "", deletionTimestamp } = pod.metadata;
    const phase = pod.status?.phase;
    const value = values.get(name);
    if (deletionTimestamp !== undefined || phase === "Failed") over.push(name);
    else if (phase === "Pending") ignored.push(name);
    else if (value === undefined) missing.push(name);
    else if (isCpu && isStarting(pod, value, now)) ignored.push(name);
    else ready++;
  }
  return { ready, over, ignored, missing };
}

function isStarting(pod: Pod, value: PodValue, now: number): boolean {
  const condition = findCondition(pod.status?.conditions, "Ready");
  const start = Date.parse(pod.status?.startTime ?? "");
  if (condition === undefined || Number.isNaN(start)) return true;
  const since = Date.parse(condition.lastTransitionTime ?? "") || 0;
  if (start + CPU_INITIALIZATION_MS > now) return condition.status === "False" || value.at < since + value.windowMs;
  return condition.status === "False" && start + INITIAL_READINESS_MS > since;
}

interface Use {
  readonly ratio: number;
  readonly utilization?: number;
  readonly averageMilli: number;
}

/** A target with what the pods ask for at hand. */
type Measure = Extract<Target, { kind: "value" }> | { kind: "utilization"; percent: number; requests: Requests };
type Requests = ReadonlyMap<string, number>;

function useOf(milli: ReadonlyMap<string, number>, target: Measure): Use {
  const total = [...milli.values()].reduce((sum, one) => sum + one, 0);
  const averageMilli = Math.trunc(total / milli.size);
  if (target.kind === "value") return { ratio: averageMilli / target.milli, averageMilli };
  let requested = 0;
  for (const name of milli.keys()) requested += target.requests.get(name) ?? 0;
  if (requested === 0) throw new Error("no metrics returned matched known pods");
  const utilization = Math.trunc((total * 100) / requested);
  return { ratio: utilization / target.percent, utilization, averageMilli };
}

const within = (ratio: number, { up, down }: CountInput["tolerance"]): boolean => ratio >= 1 - down && ratio <= 1 + up;

/** What a pod without metrics is taken to use when that argues for fewer replicas: all it may. */
const fullUse = (name: string, target: Measure): number =>
  target.kind === "value"
    ? target.milli
    : Math.trunc(((target.requests.get(name) ?? 0) * Math.max(100, target.percent)) / 100);

/** Throws where nothing can be said. */
export function replicaCount(input: CountInput): Count {
  const { current, tolerance, values, pods } = input;
  if (pods.length === 0) throw new Error("no pods returned by selector while calculating replica count");
  const { ready, over, ignored, missing } = groupPods(input);
  const left = new Set([...over, ...ignored]);
  const known = new Set(pods.map((pod) => pod.metadata.name));
  const counted = new Map<string, number>();
  for (const [name, { milli }] of values) if (known.has(name) && !left.has(name)) counted.set(name, milli);
  if (counted.size === 0) throw new Error("did not receive metrics for targeted pods (pods might be unready)");
  const target: Measure =
    input.target.kind === "value" ? input.target : { ...input.target, requests: input.target.requests() };
  const { ratio, ...measured } = useOf(counted, target);
  const rebalances = ignored.length > 0 && ratio > 1;
  if (!rebalances && missing.length === 0) {
    return { replicas: within(ratio, tolerance) ? current : Math.ceil(ratio * ready), ...measured };
  }
  if (ratio !== 1) for (const name of missing) counted.set(name, ratio < 1 ? fullUse(name, target) : 0);
  if (rebalances) for (const name of ignored) counted.set(name, 0);
  const careful = useOf(counted, target).ratio;
  const turns = (ratio < 1 && careful > 1) || (ratio > 1 && careful < 1);
  if (within(careful, tolerance) || turns) return { replicas: current, ...measured };
  const replicas = Math.ceil(careful * counted.size);
  const against = (careful < 1 && replicas > current) || (careful > 1 && replicas < current);
  return { replicas: against ? current : replicas, ...measured };
}
