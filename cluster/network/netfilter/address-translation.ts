/**
 * Ports of Services as rules of the kernel: the first packet of a connection to a ClusterIP gets an endpoint, in turn, and
 * connection tracking sends the rest after it. What matches no rule goes on to the dataplane's listeners.
 */
import { parseIPv4 } from "../address.ts";
import {
  ACCEPT,
  attribute,
  change,
  compare,
  followMap,
  hostNumber,
  isIn,
  jumpTo,
  load,
  loadBytes,
  mask,
  nested,
  NETWORK,
  number,
  readMap,
  remember,
  sendTo,
  takeAny,
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
  /** Only pods of one node are served, each with its own choice of the endpoints; the rest are left to the dataplane. */
  readonly nodes?: readonly NodeShare[];
  /** For so long after its last connection a client gets the same endpoint. */
  readonly affinitySeconds?: number;
}

/** What pods of one node get: the first three bytes of their addresses are the node's. */
export interface NodeShare {
  readonly network: string;
  readonly endpoints: readonly Place[];
}

/** A port that the kernel serves. `generation`: a number that no other port has or had. */
export interface ServedPort {
  readonly port: TranslatedPort;
  readonly generation: number;
}

const TABLE = "travelops-services";
const PORTS = "ports";
const TCP = 6;
const [SYN, SYN_ACK] = [0x02, 0x12];
const [MAP, TIMEOUT, EVALUATED] = [8, 0x10, 0x20];
const [PREROUTING, DESTINATION_NAT_PRIORITY, VERDICT] = [0, -100, 0xffffff00];
/** Two registers: an address, and a port in the first half of the other. */
const PLACE_BYTES = 8;
const ADDRESS_BYTES = 4;
const NODE_MASK = [255, 255, 255, 0];
const MOST_IN_MESSAGE = 500;
const MOST_CLIENTS = 65_536;
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

/** Makes the kernel serve a port. */
export function addPort(served: ServedPort): Buffer[] {
  const { port } = served;
  return [
    change("newChain", text(1, TABLE), text(3, chainOf(port))),
    ...newSets(served),
    ...port.endpoints.flatMap((endpoint) => newClients(port, endpoint)),
    ...rulesOf(served),
    ...elements(PORTS, [portElement(port)]),
  ];
}

/** Gives a port that is served other endpoints, at once; clients keep those that stay. The affinity has to be the same. */
export function changePort(served: ServedPort, before: ServedPort): Buffer[] {
  const { port } = served;
  const isIn = (all: readonly Place[]): ReadonlySet<string> => new Set(all.map(chainOf));
  const [now, then] = [isIn(port.endpoints), isIn(before.port.endpoints)];
  return [
    ...newSets(served),
    ...port.endpoints.filter((e) => !then.has(chainOf(e))).flatMap((e) => newClients(port, e)),
    deleteRules(port),
    ...rulesOf(served),
    ...dropSets(before),
    ...before.port.endpoints.filter((e) => !now.has(chainOf(e))).flatMap((e) => dropClients(port, e)),
  ];
}

/** Leaves a port to the dataplane. */
export function removePort(served: ServedPort): Buffer[] {
  const { port } = served;
  return [
    change("deleteElements", text(1, TABLE), text(2, PORTS), nested(3, nested(1, portElement(port)))),
    deleteRules(port),
    ...dropSets(served),
    ...port.endpoints.flatMap((endpoint) => dropClients(port, endpoint)),
    change("deleteChain", text(1, TABLE), text(3, chainOf(port))),
  ];
}

/**
 * A pod that is an endpoint itself is left to the dataplane: sent back to where it came from, its packets would have its own
 * address as their source.
 */
function rulesOf({ port, generation }: ServedPort): Buffer[] {
  const chain = chainOf(port);
  const source = load(FIRST, NETWORK, 12, 4);
  const own = rule(chain, source, isIn(ownOf(generation), FIRST), verdict(ACCEPT));
  if (port.affinitySeconds === undefined)
    return [
      own,
      ...sharesOf(port).map(({ network, endpoints }, n) =>
        rule(
          chain,
          ...(network === undefined
            ? []
            : [source, mask(FIRST, NODE_MASK), compare(FIRST, "equal", addressOf(network))]),
          ...[takeTurn(FIRST, endpoints.length), readMap(turnsOf(generation, n), FIRST, FIRST), sendTo(FIRST, SECOND)],
        ),
      ),
    ];
  const count = port.endpoints.length;
  const send = (endpoint: Place): Buffer[] => {
    const clients = clientsOf(port, endpoint);
    return [source, remember(clients, FIRST), loadBytes(FIRST, bytesOf(endpoint)), sendTo(FIRST, SECOND)];
  };
  return [
    own,
    ...port.endpoints.map((endpoint) => rule(chain, source, isIn(clientsOf(port, endpoint), FIRST), ...send(endpoint))),
    // One in so many of those whom the rules before have left: each endpoint gets its share.
    ...port.endpoints.map((endpoint, n) =>
      rule(chain, takeAny(FIRST, count - n), compare(FIRST, "equal", [...hostNumber(0)]), ...send(endpoint)),
    ),
  ];
}

const ownOf = (generation: number): string => `own${generation}`;
const turnsOf = (generation: number, share: number): string => `turns${generation}.${share}`;
const addressOf = (ip: string): number[] => [...bytesOf({ ip, port: 0 }).subarray(0, ADDRESS_BYTES)];

/** Who takes turns with which endpoints; with affinity nobody does. */
function sharesOf(
  port: TranslatedPort,
): readonly { readonly network?: string; readonly endpoints: readonly Place[] }[] {
  if (port.affinitySeconds !== undefined) return [];
  return port.nodes ?? [port];
}

/** The clients that an endpoint keeps. */
const clientsOf = (port: Place, endpoint: Place): string => `${chainOf(port)}>${chainOf(endpoint)}`;

/** What a generation of rules looks things up in: the endpoints' addresses, and whose turn it is. */
function newSets({ port, generation }: ServedPort): Buffer[] {
  const addresses = [...new Set(port.endpoints.map(({ ip }) => ip))];
  return [
    newSet(ownOf(generation), 0, ADDRESS_BYTES),
    ...elements(
      ownOf(generation),
      addresses.map((ip) => value(1, addressOf(ip))),
    ),
    ...sharesOf(port).flatMap(({ endpoints }, share) => [
      newSet(turnsOf(generation, share), MAP, 4, number(6, 0), number(7, PLACE_BYTES)),
      ...elements(
        turnsOf(generation, share),
        endpoints.map((endpoint, n) => Buffer.concat([value(1, hostNumber(n)), value(2, bytesOf(endpoint))])),
      ),
    ]),
  ];
}

function newClients(port: TranslatedPort, endpoint: Place): Buffer[] {
  if (port.affinitySeconds === undefined) return [];
  const timeout = Buffer.alloc(8);
  timeout.writeBigUInt64BE(BigInt(port.affinitySeconds) * 1000n);
  const limits = [attribute(11, timeout), nested(9, number(1, MOST_CLIENTS))];
  return [newSet(clientsOf(port, endpoint), TIMEOUT | EVALUATED, ADDRESS_BYTES, ...limits)];
}

const dropClients = (port: TranslatedPort, endpoint: Place): Buffer[] =>
  port.affinitySeconds === undefined ? [] : [dropSet(clientsOf(port, endpoint))];

const portElement = (port: Place): Buffer => Buffer.concat([value(1, bytesOf(port)), nested(2, jumpTo(chainOf(port)))]);

const deleteRules = (port: Place): Buffer => change("deleteRule", text(1, TABLE), text(2, chainOf(port)));

const dropSet = (name: string): Buffer => change("deleteSet", text(1, TABLE), text(2, name));
const dropSets = ({ port, generation }: ServedPort): Buffer[] =>
  [ownOf(generation), ...sharesOf(port).map((_, share) => turnsOf(generation, share))].map(dropSet);

const newSet = (name: string, flags: number, keyBytes: number, ...more: readonly Buffer[]): Buffer =>
  change(
    "newSet",
    ...[text(1, TABLE), text(2, name), number(3, flags), number(4, 0), number(5, keyBytes)],
    ...more,
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
