/** How far and how fast replicas may change: stabilization, policies, the least and the most. Pure. */
import type { HorizontalPodAutoscaler, HpaScalingRules } from "@travelops/kube";

const DOWN_WINDOW_SECONDS = 300;

export interface Timed {
  readonly at: number;
  /** A recommendation, or by how many replicas it was scaled. */
  readonly replicas: number;
}

/** What an autoscaler remembers; gone with the process, as upstream's. */
export interface ScalingHistory {
  readonly recommendations: readonly Timed[];
  readonly ups: readonly Timed[];
  readonly downs: readonly Timed[];
}

export const NO_HISTORY: ScalingHistory = { recommendations: [], ups: [], downs: [] };

export interface Said {
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

export interface Limited {
  readonly replicas: number;
  readonly ableToScale: Said;
  readonly scalingLimited: Said;
  readonly history: ScalingHistory;
}

export interface LimitInput {
  readonly spec: HorizontalPodAutoscaler["spec"];
  readonly current: number;
  readonly desired: number;
  readonly history: ScalingHistory;
  readonly now: number;
}

interface Bounded {
  readonly replicas: number;
  readonly reason: string;
  readonly message: string;
}

const LOWER = "recent recommendations were lower than current one, applying the lowest recent recommendation";
const HIGHER = "recent recommendations were higher than current one, applying the highest recent recommendation";

const windows = ({ behavior }: HorizontalPodAutoscaler["spec"]): { up: number; down: number } => ({
  up: (behavior?.scaleUp?.stabilizationWindowSeconds ?? 0) * 1000,
  down: (behavior?.scaleDown?.stabilizationWindowSeconds ?? DOWN_WINDOW_SECONDS) * 1000,
});

/** The most careful of what was recommended lately. */
function stabilized({ spec, current, desired, history, now }: LimitInput): Bounded {
  const since = (ms: number): number[] =>
    history.recommendations.filter(({ at }) => at > now - ms).map((one) => one.replicas);
  const { up, down } = windows(spec);
  const highest = Math.max(desired, ...since(down));
  // Without rules of its own an autoscaler takes the highest, upwards too.
  if (spec.behavior === undefined) return { replicas: highest, reason: "ScaleDownStabilized", message: HIGHER };
  const lowest = Math.min(desired, ...since(up));
  const replicas = Math.min(Math.max(current, lowest), highest);
  return desired >= current
    ? { replicas, reason: "ScaleUpStabilized", message: LOWER }
    : { replicas, reason: "ScaleDownStabilized", message: HIGHER };
}

const changedIn = (seconds: number, events: readonly Timed[], now: number): number =>
  events.filter(({ at }) => at > now - seconds * 1000).reduce((sum, one) => sum + one.replicas, 0);

/** How many there were when a policy's period began. */
const before = (seconds: number, current: number, { ups, downs }: ScalingHistory, now: number): number =>
  current - changedIn(seconds, ups, now) + changedIn(seconds, downs, now);

/** The most that the policies allow to go up to. */
function upLimit(rules: HpaScalingRules, current: number, history: ScalingHistory, now: number): number {
  if (rules.selectPolicy === "Disabled") return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const start = before(periodSeconds, current, history, now);
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100));
  });
  const limit = rules.selectPolicy === "Min" ? Math.min(...limits) : Math.max(0, ...limits);
  return Math.max(current, limit);
}

/** The least that the policies allow to go down to. */
function downLimit(rules: HpaScalingRules, current: number, history: ScalingHistory, now: number): number {
  if (rules.selectPolicy === "Disabled") return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const start = before(periodSeconds, current, history, now);
    return type === "Pods" ? start - value : Math.trunc(start * (1 - value / 100));
  });
  if (limits.length === 0) return current;
  return Math.min(current, rules.selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits));
}

/** Where an autoscaler says nothing of one direction. */
const USUAL_UP: HpaScalingRules = {
  selectPolicy: "Max",
  policies: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
};
const USUAL_DOWN: HpaScalingRules = { policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] };

const withPolicies = (rules: HpaScalingRules | undefined, usual: HpaScalingRules): HpaScalingRules =>
  rules?.policies === undefined ? { ...usual, ...rules, policies: usual.policies } : rules;

function bounded({ spec, current, history, now }: LimitInput, desired: number): Bounded {
  const { maxReplicas, minReplicas = 1, behavior } = spec;
  if (desired > current) {
    const limit =
      behavior === undefined
        ? Math.max(2 * current, 4)
        : upLimit(withPolicies(behavior.scaleUp, USUAL_UP), current, history, now);
    const fast = maxReplicas > limit;
    const most = fast ? limit : maxReplicas;
    if (desired > most) {
      return fast
        ? over(most, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
        : over(most, "TooManyReplicas", "the desired replica count is more than the maximum replica count");
    }
  }
  if (desired < current) {
    const limit =
      behavior === undefined ? 0 : downLimit(withPolicies(behavior.scaleDown, USUAL_DOWN), current, history, now);
    const fast = minReplicas < limit;
    const least = fast ? limit : minReplicas;
    if (desired < least) {
      return fast
        ? over(least, "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
        : over(least, "TooFewReplicas", "the desired replica count is less than the minimum replica count");
    }
  }
  const message = "the desired count is within the acceptable range";
  return { replicas: desired, reason: "DesiredWithinRange", message };
}

const over = (replicas: number, reason: string, message: string): Bounded => ({ replicas, reason, message });

/** From what the metrics ask for to what is done. */
export function limitReplicas(input: LimitInput): Limited {
  const { desired, history, now, spec } = input;
  const stable = stabilized(input);
  const { replicas, reason, message } = bounded(input, stable.replicas);
  const longest = Math.max(...Object.values(windows(spec)));
  const recommendations = history.recommendations.filter(({ at }) => at >= now - longest);
  return {
    replicas,
    ableToScale:
      stable.replicas === desired
        ? { status: "True", reason: "ReadyForNewScale", message: "recommended size matches current size" }
        : { status: "True", reason: stable.reason, message: stable.message },
    scalingLimited: { status: replicas === stable.replicas ? "False" : "True", reason, message },
    history: { ...history, recommendations: [...recommendations, { at: now, replicas: desired }] },
  };
}

/** The longest period that a policy may have. */
const REMEMBERED_MS = 1_800_000;

/** After it was scaled. */
export function remember(history: ScalingHistory, from: number, to: number, now: number): ScalingHistory {
  const add = (events: readonly Timed[], replicas: number): Timed[] => [
    ...events.filter(({ at }) => at > now - REMEMBERED_MS),
    { at: now, replicas },
  ];
  return to > from
    ? { ...history, ups: add(history.ups, to - from) }
    : { ...history, downs: add(history.downs, from - to) };
}
