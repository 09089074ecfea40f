/**
 * Which webhooks a request may concern. Kept from the store's own events, so that a request without any pays one look
 * into a map, and nothing else of webhooks is loaded.
 */
import type { KubeObject } from "@travelops/kube";
import type { Store } from "../../../store/store.ts";
import type { Operation } from "../../access.ts";
import { ruleNames, webhooksOf, type Webhook } from "./webhook.ts";

export const CONFIGURATIONS = {
  mutating: "mutatingwebhookconfigurations.admissionregistration.k8s.io",
  validating: "validatingwebhookconfigurations.admissionregistration.k8s.io",
} as const;

/** The webhooks whose rules name an operation on a resource, each phase in the order of its configurations' names. */
export interface WebhookRound {
  readonly mutating: readonly Webhook[];
  readonly validating: readonly Webhook[];
}

/** Never sent to webhooks: one could no longer be mended. */
const EXEMPT: ReadonlySet<string> = new Set([
  "mutatingwebhookconfigurations",
  "validatingwebhookconfigurations",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
]);

/** Tables of one kind of object under several groups (upstream: cohabitating resources). */
const GROUPS: Readonly<Record<string, readonly string[]>> = { events: ["", "events.k8s.io"] };

export class WebhookIndex {
  readonly #store: Store;
  readonly #stops: (() => void)[] = [];
  #mutating: readonly Webhook[] | undefined;
  #validating: readonly Webhook[] | undefined;
  readonly #rounds = new Map<string, WebhookRound | undefined>();

  constructor(store: Store) {
    this.#store = store;
    const changed = (): void => this.#forget();
    for (const table of Object.values(CONFIGURATIONS)) this.#stops.push(store.watch(table, store.revision, changed));
  }

  /** Undefined: no webhook has a rule for it. */
  round(operation: Operation, group: string, resource: string, subresource: string): WebhookRound | undefined {
    const mutating = (this.#mutating ??= this.#load("mutating"));
    const validating = (this.#validating ??= this.#load("validating"));
    if (mutating.length === 0 && validating.length === 0) return undefined;
    const key = `${operation} ${group}/${resource}/${subresource}`;
    if (this.#rounds.has(key)) return this.#rounds.get(key);
    const found = this.#find(mutating, validating, { operation, group, resource, subresource });
    this.#rounds.set(key, found);
    return found;
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #find(
    mutating: readonly Webhook[],
    validating: readonly Webhook[],
    subject: { operation: Operation; group: string; resource: string; subresource: string },
  ): WebhookRound | undefined {
    if (subject.group === "admissionregistration.k8s.io" && EXEMPT.has(subject.resource)) return undefined;
    const groups = GROUPS[subject.resource]?.includes(subject.group) === true ? GROUPS[subject.resource] : undefined;
    const names = ({ rules }: Webhook): boolean =>
      (groups ?? [subject.group]).some((group) => rules.some((rule) => ruleNames(rule, { ...subject, group })));
    const round = { mutating: mutating.filter(names), validating: validating.filter(names) };
    return round.mutating.length === 0 && round.validating.length === 0 ? undefined : round;
  }

  #load(phase: Webhook["phase"]): readonly Webhook[] {
    const name = ({ metadata }: KubeObject): string => metadata.name ?? "";
    return this.#store
      .list(CONFIGURATIONS[phase])
      .items.map((item) => item.object)
      .sort((a, b) => (name(a) < name(b) ? -1 : 1))
      .flatMap((configuration) => webhooksOf(configuration, phase))
      .map((webhook, index) => ({ ...webhook, index }));
  }

  #forget(): void {
    this.#mutating = undefined;
    this.#validating = undefined;
    this.#rounds.clear();
  }
}
