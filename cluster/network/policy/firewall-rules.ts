/**
 * The rows of NetworkPolicies as rules of the kernel's firewall, for what pods send each other. Only the
 * first packet of a connection is judged: TCP by its flags, the rest by a memory of flows.
 */
import { parseIPv4 } from "../address.ts";
import type { AddressRange, PolicyConfig, PolicyPort, PolicyRule, Protocol } from "../config.ts";
import { mergeRanges } from "./ranges.ts";
import {
  ACCEPT,
  addressElements,
  attribute,
  change,
  compare,
  DROP,
  fromLoopback,
  isIn,
  jump,
  load,
  mask,
  nested,
  NETWORK,
  number,
  remember,
  RETURN,
  text,
  TRANSPORT,
  value,
  verdict,
} from "../netfilter/netlink-message.ts";

/** A packet of a pod to an address beside the pods that is to go nowhere. */
export interface DeniedTarget {
  readonly from: string;
  readonly to: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** Addresses beside the pods: all their ports, or one. */
export type JudgedTarget =
  | { readonly addresses: AddressRange; readonly port?: undefined }
  | { readonly addresses: AddressRange; readonly port: number; readonly protocol: Protocol };

export interface FirewallPlan {
  readonly policies: readonly PolicyConfig[];
  /** Services and the like, which the dataplane answers itself. */
  readonly denied: readonly DeniedTarget[];
  /** What the dataplane judges, never the pods' rules. */
  readonly judged: readonly JudgedTarget[];
}

const TABLE = "travelops";
const FLOWS = "flows";
const FLOW_MS = 120_000;
const MAX_FLOWS = 65_536;
const NUMBERS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };
const ICMP = 1;
const [INTERVAL, TIMEOUT, EVALUATED, CONCATENATED] = [4, 0x10, 0x20, 0x80];

// Where a packet's fields are kept while its rules are gone through: what a flow is made of stands side by side.
const [SOURCE, TARGET, PROTOCOL, SOURCE_PORT, TARGET_PORT, SCRATCH] = [0, 1, 2, 3, 4, 6];

const inTable = (name: string, ...rest: readonly Buffer[]): Buffer[] => [text(1, TABLE), text(2, name), ...rest];
const rule = (chain: string, ...expressions: readonly Buffer[]): Buffer =>
  change("newRule", ...inTable(chain, nested(4, ...expressions)));
const baseChain = (name: string, hook: number): Buffer =>
  change(
    "newChain",
    text(1, TABLE),
    text(3, name),
    nested(4, number(1, hook), number(2, 0)),
    number(5, ACCEPT),
    text(7, "filter"),
  );
const plainChain = (name: string): Buffer => change("newChain", text(1, TABLE), text(3, name));

const port16 = (port: number): number[] => [port >> 8, port & 255];
const address = (value_: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value_ >>> 0);
  return bytes;
};

const loadAddresses = [load(SOURCE, NETWORK, 12, 4), load(TARGET, NETWORK, 16, 4)];
const loadProtocol = load(PROTOCOL, NETWORK, 9, 1);
const loadPorts = [load(SOURCE_PORT, TRANSPORT, 0, 2), load(TARGET_PORT, TRANSPORT, 2, 2)];
const isProtocol = (code: number): Buffer => compare(PROTOCOL, "equal", [code]);

/** Removes everything; the kernel then does nothing with the pods' packets. */
export const removal = (): Buffer[] => [change("newTable", text(1, TABLE)), change("deleteTable", text(1, TABLE))];

/** The table, its chains and the memory of flows; again is no change. */
export function foundation(): Buffer[] {
  const timeout = Buffer.alloc(8);
  timeout.writeBigUInt64BE(BigInt(FLOW_MS));
  return [
    change("newTable", text(1, TABLE)),
    baseChain("input", 1),
    baseChain("forward", 2),
    baseChain("output", 3),
    ...["new", "egress", "ingress"].map(plainChain),
    change(
      "newSet",
      ...inTable(
        FLOWS,
        number(3, TIMEOUT | EVALUATED),
        number(4, 0),
        number(5, 20),
        number(10, 1),
        attribute(11, timeout),
      ),
      nested(9, number(1, MAX_FLOWS)),
    ),
  ];
}

/** The sets of one generation of rules: made and filled first, in as many batches as it takes. */
export interface NamedSet {
  readonly name: string;
  readonly create: Buffer;
  readonly elements: readonly Buffer[];
}

/** One generation: sets to make, and the rules that use them. */
export interface FirewallGeneration {
  readonly sets: readonly NamedSet[];
  readonly rules: readonly Buffer[];
}

/** Names of sets end in the generation, so that the old rules stand until the new ones replace them at once. */
export function compileFirewall(plan: FirewallPlan, generation: number): FirewallGeneration {
  const sets: NamedSet[] = [];
  const known = new Map<string, string>();
  const addresses = (ranges: readonly AddressRange[]): string => {
    const key = ranges.map(({ from, to }) => `${from}-${to}`).join();
    const name = known.get(key) ?? `a${sets.length}g${generation}`;
    if (known.has(key)) return name;
    known.set(key, name);
    sets.push(addressSet(name, sets.length + 2, mergeRanges(ranges)));
    return name;
  };
  const isolated = (direction: "ingress" | "egress"): string =>
    addresses(plan.policies.filter((p) => p[direction] !== undefined).flatMap((p) => p.pods.flatMap(single)));
  const [egress, ingress] = [isolated("egress"), isolated("ingress")];
  const denied = `d${generation}`;
  sets.push(deniedSet(denied, sets.length + 2, plan.denied));
  const rules = [
    rule("input", ...fromLoopback(SCRATCH), verdict(ACCEPT)),
    ...(["input", "forward"] as const).flatMap(establishedRules),
    rule(
      "input",
      ...loadAddresses,
      loadProtocol,
      load(SOURCE_PORT, TRANSPORT, 2, 2),
      isIn(denied, SOURCE),
      verdict(DROP),
    ),
    ...plan.judged.map((target) => judgedRule(target, addresses)),
    rule("input", load(SOURCE, NETWORK, 12, 4), isIn(egress, SOURCE), jump("egress")),
    rule("forward", load(SOURCE, NETWORK, 12, 4), isIn(egress, SOURCE), jump("egress")),
    rule("forward", load(TARGET, NETWORK, 16, 4), isIn(ingress, TARGET), jump("ingress")),
    ...(["forward", "output"] as const).map(flowRule),
  ];
  for (const policy of plan.policies) {
    const pods = policy.pods.flatMap(single);
    if (pods.length === 0) continue;
    for (const direction of ["egress", "ingress"] as const) {
      const its = policy[direction] ?? [];
      if (its.length === 0) continue;
      const selected = addresses(pods);
      for (const each of its) rules.push(...passRules(direction, selected, each, addresses));
    }
  }
  for (const direction of ["egress", "ingress"]) rules.push(rule(direction, verdict(DROP)));
  return { sets, rules };
}

/** Replaces the rules and lets go of the sets of the generation before. */
export const replacement = (generation: FirewallGeneration, oldSets: readonly string[]): Buffer[] => [
  change("deleteRule", text(1, TABLE)),
  ...generation.rules,
  ...oldSets.map(dropSet),
];

const dropSet = (name: string): Buffer => change("deleteSet", ...inTable(name));

/** What belongs to a connection that stands, or answers one, passes. */
function establishedRules(chain: "input" | "forward"): Buffer[] {
  const [SYN_ACK, SYN] = [0x12, 0x02];
  const ECHO_REQUEST = 8;
  return [
    rule(
      chain,
      ...[loadProtocol, isProtocol(NUMBERS.TCP), load(SCRATCH, TRANSPORT, 13, 1), mask(SCRATCH, [SYN_ACK])],
      ...[compare(SCRATCH, "unequal", [SYN]), verdict(ACCEPT)],
    ),
    rule(
      chain,
      ...[loadProtocol, isProtocol(ICMP), load(SCRATCH, TRANSPORT, 0, 1), compare(SCRATCH, "unequal", [ECHO_REQUEST])],
      verdict(ACCEPT),
    ),
    // The flow as the other side began it.
    rule(
      chain,
      ...[load(SOURCE, NETWORK, 16, 4), load(TARGET, NETWORK, 12, 4), loadProtocol],
      ...[load(SOURCE_PORT, TRANSPORT, 2, 2), load(TARGET_PORT, TRANSPORT, 0, 2)],
      ...[isIn(FLOWS, SOURCE), verdict(ACCEPT)],
    ),
  ];
}

const judgedRule = (target: JudgedTarget, addresses: (ranges: AddressRange[]) => string): Buffer =>
  rule(
    "input",
    ...[load(TARGET, NETWORK, 16, 4), isIn(addresses([target.addresses]), TARGET)],
    ...(target.port === undefined
      ? []
      : [
          loadProtocol,
          isProtocol(NUMBERS[target.protocol]),
          load(TARGET_PORT, TRANSPORT, 2, 2),
          compare(TARGET_PORT, "equal", port16(target.port)),
        ]),
    verdict(ACCEPT),
  );

/** Flows of UDP and its like, so that answers are known. */
const flowRule = (chain: "forward" | "output"): Buffer =>
  rule(
    chain,
    ...[loadProtocol, compare(PROTOCOL, "unequal", [NUMBERS.TCP]), compare(PROTOCOL, "unequal", [ICMP])],
    ...[...loadAddresses, ...loadPorts, remember(FLOWS, SOURCE)],
  );

/** Whom and what a rule lets pass returns to where the packet came from; the rest meets the drop at the end. */
function passRules(
  direction: "egress" | "ingress",
  selected: string,
  each: PolicyRule,
  addresses: (ranges: readonly AddressRange[]) => string,
): Buffer[] {
  const [own, other] = direction === "egress" ? [SOURCE, TARGET] : [TARGET, SOURCE];
  const peers = each.peers && [...each.peers.ids.flatMap(single), ...each.peers.blocks];
  if (peers?.length === 0) return [];
  const who = [...loadAddresses, isIn(selected, own), ...(peers === undefined ? [] : [isIn(addresses(peers), other)])];
  if (each.ports === undefined) return [rule(direction, ...who, verdict(RETURN))];
  return each.ports.map((port) => rule(direction, ...who, ...portMatch(port, addresses), verdict(RETURN)));
}

function portMatch(port: PolicyPort, addresses: (ranges: readonly AddressRange[]) => string): Buffer[] {
  const where = port.destinations?.flatMap(single);
  return [
    ...(where === undefined ? [] : [isIn(addresses(where), TARGET)]),
    ...[loadProtocol, isProtocol(NUMBERS[port.protocol]), load(TARGET_PORT, TRANSPORT, 2, 2)],
    ...[compare(TARGET_PORT, "atLeast", port16(port.from)), compare(TARGET_PORT, "atMost", port16(port.to))],
  ];
}

/** An address as a range; names that are no address have no packets. */
function single(ip: string): AddressRange[] {
  const at = parseIPv4(ip);
  return at === undefined ? [] : [{ from: at, to: at }];
}

const MOST_IN_MESSAGE = 500;

function elementMessages(set: string, elements: readonly Buffer[]): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < elements.length; at += MOST_IN_MESSAGE)
    messages.push(change("newElements", ...inTable(set, nested(3, ...elements.slice(at, at + MOST_IN_MESSAGE)))));
  return messages;
}

function addressSet(name: string, id: number, ranges: readonly AddressRange[]): NamedSet {
  const create = change("newSet", ...inTable(name, number(3, INTERVAL), number(4, 7), number(5, 4), number(10, id)));
  return { name, create, elements: elementMessages(name, addressElements(ranges)) };
}

function deniedSet(name: string, id: number, denied: readonly DeniedTarget[]): NamedSet {
  const elements = denied.map(({ from, to, protocol, port }) =>
    nested(
      1,
      value(
        1,
        Buffer.concat([
          address(parseIPv4(from) ?? 0),
          address(parseIPv4(to) ?? 0),
          Buffer.from([NUMBERS[protocol], 0, 0, 0, ...port16(port), 0, 0]),
        ]),
      ),
    ),
  );
  const fields = [4, 4, 1, 2].map((length) => nested(1, number(1, length)));
  const create = change(
    "newSet",
    ...inTable(name, number(3, CONCATENATED), number(4, 0), number(5, 16), number(10, id)),
    nested(9, nested(2, ...fields)),
  );
  return { name, create, elements: elementMessages(name, elements) };
}
