/**
 * Ports of Services as rules of the kernel: the first packet of a connection to a ClusterIP gets an endpoint, in turn, and
 * connection tracking sends the rest after it. What matches no rule goes on to the dataplane's listeners.
 */
import { parseIPv4 } from "../address.ts";
import {
  ACCEPT,
  change,
  compare,
  followMap,
  hostNumber,
  isIn,
  jumpTo,
  load,
  mask,
  nested,
  NETWORK,
  number,
  readMap,
  sendTo,
  takeTurn,
  text,
  TRANSPORT,
  value,
  verdict,
} from "./netlink-message.ts";

export interface Place {
  readonly ip: string;
  readonly port: number;
}

/** A port of a ClusterIP, and the endpoints among which its connections are shared out. */
export interface TranslatedPort extends Place {
  readonly endpoints: readonly Place[];
}

const TABLE = "travelops-services";
const PORTS = "ports";
const TCP = 6;
const [SYN, SYN_ACK] = [0x02, 0x12];
const [MAP, PREROUTING, DESTINATION_NAT_PRIORITY, VERDICT] = [8, 0, -100, 0xffffff00];
/** Two registers: an address, and a port in the first half of the other. */
const PLACE_BYTES = 8;
const MOST_IN_MESSAGE = 500;
const [FIRST, SECOND] = [0, 1];

const rule = (chain: string, ...expressions: readonly Buffer[]): Buffer =>
  change("newRule", text(1, TABLE), text(2, chain), nested(4, ...expressions));
const chainOf = ({ ip, port }: Place): string => `${ip}:${port}`;

function bytesOf({ ip, port }: Place): Buffer {
  const bytes = Buffer.alloc(PLACE_BYTES);
  bytes.writeUInt32BE(parseIPv4(ip) ?? 0, 0);
  bytes.writeUInt16BE(port, 4);
  return bytes;
}

/** Removes everything: all Services are the dataplane's again. */
export const noTranslation = (): Buffer[] => [
  change("newTable", text(1, TABLE)),
  change("deleteTable", text(1, TABLE)),
];

/** The table with its map of ports, empty. Connections that stand are left alone: only a SYN is looked at. */
export const translation = (): Buffer[] => [
  change("newTable", text(1, TABLE)),
  change(
    "newChain",
    ...[text(1, TABLE), text(3, "prerouting")],
    ...[nested(4, number(1, PREROUTING), number(2, DESTINATION_NAT_PRIORITY)), number(5, ACCEPT), text(7, "nat")],
  ),
  change(
    "newSet",
    ...[text(1, TABLE), text(2, PORTS), number(3, MAP), number(4, 0), number(5, PLACE_BYTES)],
    ...[number(6, VERDICT), number(10, 1)],
  ),
  rule(
    "prerouting",
    ...[load(FIRST, NETWORK, 9, 1), compare(FIRST, "equal", [TCP])],
    ...[load(FIRST, TRANSPORT, 13, 1), mask(FIRST, [SYN_ACK]), compare(FIRST, "equal", [SYN])],
    ...[load(FIRST, NETWORK, 16, 4), load(SECOND, TRANSPORT, 2, 2), followMap(PORTS, FIRST)],
  ),
];

/**
 * What one port's rules are made of. A pod that is an endpoint itself is left to the dataplane: sent back to where it came
 * from, its packets would have its own address as their source.
 */
function rulesOf(port: TranslatedPort, generation: number): { sets: Buffer[]; rules: Buffer[] } {
  const chain = chainOf(port);
  const [own, turns] = [`own${generation}`, `turns${generation}`];
  return {
    sets: [
      newSet(own, 0, 4),
      ...elements(
        own,
        [...new Set(port.endpoints.map(({ ip }) => ip))].map((ip) => value(1, bytesOf({ ip, port: 0 }).subarray(0, 4))),
      ),
      newSet(turns, MAP, 4, PLACE_BYTES),
      ...elements(
        turns,
        port.endpoints.map((endpoint, n) => Buffer.concat([value(1, hostNumber(n)), value(2, bytesOf(endpoint))])),
      ),
    ],
    rules: [
      rule(chain, load(FIRST, NETWORK, 12, 4), isIn(own, FIRST), verdict(ACCEPT)),
      rule(chain, takeTurn(FIRST, port.endpoints.length), readMap(turns, FIRST, FIRST), sendTo(FIRST, SECOND)),
    ],
  };
}

/** Makes the kernel serve a port. `generation`: a number that no other port has or had. */
export function addPort(port: TranslatedPort, generation: number): Buffer[] {
  const { sets, rules } = rulesOf(port, generation);
  return [
    change("newChain", text(1, TABLE), text(3, chainOf(port))),
    ...sets,
    ...rules,
    ...elements(PORTS, [portElement(port)]),
  ];
}

/** Gives a port that is served other endpoints, at once. */
export function changePort(port: TranslatedPort, generation: number, before: number): Buffer[] {
  const { sets, rules } = rulesOf(port, generation);
  return [...sets, deleteRules(port), ...rules, ...dropSets(before)];
}

/** Leaves a port to the dataplane. */
export const removePort = (port: Place, generation: number): Buffer[] => [
  change("deleteElements", text(1, TABLE), text(2, PORTS), nested(3, nested(1, portElement(port)))),
  deleteRules(port),
  ...dropSets(generation),
  change("deleteChain", text(1, TABLE), text(3, chainOf(port))),
];

const portElement = (port: Place): Buffer => Buffer.concat([value(1, bytesOf(port)), nested(2, jumpTo(chainOf(port)))]);

const deleteRules = (port: Place): Buffer => change("deleteRule", text(1, TABLE), text(2, chainOf(port)));

const dropSets = (generation: number): Buffer[] =>
  [`own${generation}`, `turns${generation}`].map((name) => change("deleteSet", text(1, TABLE), text(2, name)));

const newSet = (name: string, flags: number, keyBytes: number, dataBytes?: number): Buffer =>
  change(
    "newSet",
    ...[text(1, TABLE), text(2, name), number(3, flags), number(4, 0), number(5, keyBytes)],
    ...(dataBytes === undefined ? [] : [number(6, 0), number(7, dataBytes)]),
    number(10, 1),
  );

function elements(set: string, all: readonly Buffer[]): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < all.length; at += MOST_IN_MESSAGE)
    messages.push(
      change(
        "newElements",
        ...[text(1, TABLE), text(2, set)],
        nested(3, ...all.slice(at, at + MOST_IN_MESSAGE).map((each) => nested(1, each))),
      ),
    );
  return messages;
}
