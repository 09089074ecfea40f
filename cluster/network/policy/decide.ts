/** Whether NetworkPolicies let a connection pass: the union of the policies of each end, as a pure function of rows. */
import { parseIPv4 } from "../address.ts";
import type { PolicyConfig, PolicyRule, Protocol } from "../config.ts";

/** What holds for one pod; a direction that no policy names is open. */
export interface Isolation {
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
}

/** One end of a connection: its address, where it has one, and all that rules may know it by. */
export interface Party {
  readonly ip?: string;
  readonly ids: readonly string[];
}

export interface Destination {
  readonly ip: string;
  /** More than one where a program is known by several numbers (DNS: 53 here, 5353 on OpenShift). */
  readonly ports: readonly number[];
  readonly protocol: Protocol;
}

export const partyOf = (ip: string): Party => ({ ip, ids: [ip] });

/** The isolation of every pod that a policy selects. */
export function indexPolicies(policies: Iterable<PolicyConfig>): Map<string, Isolation> {
  const index = new Map<string, { ingress?: PolicyRule[]; egress?: PolicyRule[] }>();
  for (const policy of policies) {
    for (const ip of policy.pods) {
      const isolation = index.get(ip) ?? {};
      if (policy.ingress !== undefined) isolation.ingress = [...(isolation.ingress ?? []), ...policy.ingress];
      if (policy.egress !== undefined) isolation.egress = [...(isolation.egress ?? []), ...policy.egress];
      index.set(ip, isolation);
    }
  }
  return index;
}

/** A pod always reaches itself; else the source's egress and the destination's ingress must both allow it. */
export function allows(index: ReadonlyMap<string, Isolation>, from: Party, to: Destination): boolean {
  if (from.ip === to.ip) return true;
  return leaves(index, from, to) && enters(index, from, to);
}

/** The source's side alone. */
export function leaves(index: ReadonlyMap<string, Isolation>, from: Party, to: Destination): boolean {
  const rules = from.ip === undefined ? undefined : index.get(from.ip)?.egress;
  return rules === undefined || rules.some((rule) => isPeer(rule, partyOf(to.ip)) && isPort(rule, to));
}

function enters(index: ReadonlyMap<string, Isolation>, from: Party, to: Destination): boolean {
  const rules = index.get(to.ip)?.ingress;
  return rules === undefined || rules.some((rule) => isPeer(rule, from) && isPort(rule, to));
}

function isPeer({ peers }: PolicyRule, party: Party): boolean {
  if (peers === undefined || party.ids.some((id) => peers.ids.includes(id))) return true;
  const address = party.ip === undefined ? undefined : parseIPv4(party.ip);
  return address !== undefined && peers.blocks.some(({ from, to }) => address >= from && address <= to);
}

function isPort({ ports }: PolicyRule, to: Destination): boolean {
  return (
    ports === undefined ||
    ports.some(
      (port) =>
        port.protocol === to.protocol &&
        port.destinations?.includes(to.ip) !== false &&
        to.ports.some((number) => number >= port.from && number <= port.to),
    )
  );
}
