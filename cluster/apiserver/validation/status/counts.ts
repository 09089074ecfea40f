/** Statuses that are numbers of pods: none below zero, no part greater than the whole. */
import { fieldInvalid } from "@travelops/kube";
import { type Errors, nonNegative } from "../checks.ts";
import { type Fields, number } from "../fields.ts";

export interface Counts {
  readonly fields: readonly string[];
  /** May not be more than `replicas`. */
  readonly parts?: readonly string[];
  /** How it is said that what is available is also ready; undefined where nobody asks. */
  readonly ready?: string;
  readonly collisions?: true;
}

const PARTS = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
const REPLICAS: Counts = {
  fields: ["replicas", ...PARTS, "observedGeneration"],
  parts: PARTS,
  ready: "cannot be greater than readyReplicas",
};

/** By table. */
export const COUNTS: Readonly<Record<string, Counts>> = {
  "deployments.apps": {
    fields: [
      "observedGeneration",
      "replicas",
      "updatedReplicas",
      "readyReplicas",
      "availableReplicas",
      "unavailableReplicas",
      "terminatingReplicas",
      "collisionCount",
    ],
    parts: ["updatedReplicas", "readyReplicas", "availableReplicas"],
    ready: "cannot be greater than readyReplicas",
    collisions: true,
  },
  "replicasets.apps": { ...REPLICAS, fields: [...REPLICAS.fields, "terminatingReplicas"] },
  "replicationcontrollers.": REPLICAS,
  "statefulsets.apps": {
    fields: [
      "replicas",
      "readyReplicas",
      "currentReplicas",
      "updatedReplicas",
      "availableReplicas",
      "observedGeneration",
      "collisionCount",
    ],
    parts: ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
    ready: "cannot be greater than status.readyReplicas",
    collisions: true,
  },
  "daemonsets.apps": {
    fields: [
      "currentNumberScheduled",
      "numberMisscheduled",
      "desiredNumberScheduled",
      "numberReady",
      "observedGeneration",
      "updatedNumberScheduled",
      "numberAvailable",
      "numberUnavailable",
      "collisionCount",
    ],
    collisions: true,
  },
  "horizontalpodautoscalers.autoscaling": { fields: ["currentReplicas", "desiredReplicas"] },
  "poddisruptionbudgets.policy": {
    fields: ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"],
  },
};

export function checkCounts(
  { fields, parts = [], ready, collisions }: Counts,
  status: Fields,
  before: Fields,
  errors: Errors,
): void {
  const count = (name: string, of = status): number => number(of, name) ?? 0;
  for (const name of fields) nonNegative(status[name], `status.${name}`, errors);
  for (const name of parts) {
    if (count(name) > count("replicas"))
      errors.push(fieldInvalid(`status.${name}`, count(name), "cannot be greater than status.replicas"));
  }
  if (ready !== undefined && count("availableReplicas") > count("readyReplicas"))
    errors.push(fieldInvalid("status.availableReplicas", count("availableReplicas"), ready));
  const had = number(before, "collisionCount");
  if (collisions === true && had !== undefined && (number(status, "collisionCount") ?? -1) < had)
    errors.push(fieldInvalid("status.collisionCount", count("collisionCount"), "cannot be decremented"));
}
