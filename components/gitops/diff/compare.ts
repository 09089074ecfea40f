/**
 * Target against live: what a server-side apply would change. The API server itself is asked (dry run), and only when
 * either side changed since the last answer.
 */
import { StatusError, type KubeObject } from "@travelops/kube";
import { keyTextOf } from "../application/resource-key.ts";
import type { ResourceIgnoreDifferences, SyncCode } from "../application/types.ts";
import { rulesFor, withoutIgnored } from "./ignore-differences.ts";
import { liveFingerprint, sameContent } from "./normalize.ts";

export type DryRunApply = (object: KubeObject) => Promise<KubeObject>;

export interface Verdict {
  status: SyncCode;
  /** Why the server would refuse the target; the object is then OutOfSync. */
  error?: StatusError;
}

interface Answer {
  target: KubeObject;
  fingerprint: string;
  rules: readonly ResourceIgnoreDifferences[];
  verdict: Verdict;
}

export class Comparer {
  readonly #answers = new Map<string, Answer>();

  async compare(
    target: KubeObject,
    live: KubeObject | undefined,
    ignore: readonly ResourceIgnoreDifferences[],
    dryRun: DryRunApply,
  ): Promise<Verdict> {
    if (live === undefined) return { status: "OutOfSync" };
    const rules = rulesFor(target, ignore);
    const fingerprint = liveFingerprint(live);
    const key = keyTextOf(target);
    const known = this.#answers.get(key);
    if (
      known !== undefined &&
      known.target === target &&
      known.fingerprint === fingerprint &&
      sameRules(known.rules, rules)
    )
      return known.verdict;
    const verdict = await this.#ask(target, live, rules, dryRun);
    // A refusal may have passed by the next time (a webhook down, a CRD missing): it is asked again.
    if (verdict.error === undefined) this.#answers.set(key, { target, fingerprint, rules, verdict });
    return verdict;
  }

  async #ask(
    target: KubeObject,
    live: KubeObject,
    rules: readonly ResourceIgnoreDifferences[],
    dryRun: DryRunApply,
  ): Promise<Verdict> {
    try {
      const predicted = await dryRun(target);
      const same = sameContent(withoutIgnored(predicted, rules, live), withoutIgnored(live, rules, live));
      return { status: same ? "Synced" : "OutOfSync" };
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return { status: "OutOfSync", error };
    }
  }

  /** After an apply the answer is known: the live object is what the server made of the target. */
  applied(target: KubeObject, live: KubeObject): void {
    this.#answers.set(keyTextOf(target), {
      target,
      fingerprint: liveFingerprint(live),
      rules: [],
      verdict: { status: "Synced" },
    });
  }

  forget(object: KubeObject): void {
    this.#answers.delete(keyTextOf(object));
  }
}

const sameRules = (a: readonly ResourceIgnoreDifferences[], b: readonly ResourceIgnoreDifferences[]): boolean =>
  a.length === b.length && a.every((rule, index) => rule === b[index]);
