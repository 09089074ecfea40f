/** DNS over UDP and TCP: wire format, truncation, forwarding of names outside the cluster. */
import dgram from "node:dgram";
import net from "node:net";
import dnsPacket, { type Answer, type Packet, type Question } from "dns-packet";
import { addressed, answerQuestion, soa, type DnsResult } from "./dns-answer.ts";
import type { AskSibling } from "./siblings.ts";
import type { DataplaneState } from "./state.ts";

/** Asks the resolvers of the host; `undefined` when none answers. */
export type ForwardQuery = (query: Buffer) => Promise<Buffer | undefined>;

export interface DnsServerOptions {
  readonly state: DataplaneState;
  readonly forward: ForwardQuery;
  readonly sibling: AskSibling;
  readonly random: () => number;
  readonly log: (message: string) => void;
}

const RCODE_SERVFAIL = 2;
const RCODE_NXDOMAIN = 3;
const RCODE_NOTIMP = 4;
const MAX_TCP_IDLE_MS = 10_000;

/** Answers one packet; `undefined` when it is no query at all. */
export async function answerPacket(
  options: DnsServerOptions,
  raw: Buffer,
  maxSize: number,
): Promise<Buffer | undefined> {
  let query: Packet;
  try {
    query = dnsPacket.decode(raw);
  } catch {
    return undefined;
  }
  if (query.type !== "query") return undefined;
  const question = query.questions?.[0];
  if (question === undefined || (query as { opcode?: string }).opcode !== "QUERY")
    return encode(query, [], [], RCODE_NOTIMP, maxSize, options);
  const result = answerQuestion(options.state, question.name, question.type);
  return respond(options, query, question, raw, result, maxSize);
}

async function respond(
  options: DnsServerOptions,
  query: Packet,
  question: Question,
  raw: Buffer,
  result: DnsResult,
  maxSize: number,
): Promise<Buffer> {
  switch (result.kind) {
    case "answer":
      return encode(query, rotate(result.answers, options.random), result.additionals, 0, maxSize, options);
    case "nodata":
      return encode(query, [], [], 0, maxSize, options);
    case "nxdomain":
      return encode(query, [], [], RCODE_NXDOMAIN, maxSize, options);
    case "cname": {
      const next = await resolveOutside(options, result.target, question);
      return encode(query, [...result.answers, ...next], [], 0, maxSize, options);
    }
    case "sibling": {
      const found = await options.sibling(result.host);
      const known = found && addressed(question.name, question.type, found.address);
      return respond(options, query, question, raw, known ?? result.unknown, maxSize);
    }
    case "outside": {
      // A bare label is nobody's business outside.
      if (!question.name.replace(/\.$/, "").includes("."))
        return encode(query, [], [], RCODE_NXDOMAIN, maxSize, options);
      const answer = await options.forward(raw);
      if (answer === undefined) return encode(query, [], [], RCODE_NXDOMAIN, maxSize, options);
      return answer.length <= maxSize ? answer : truncated(answer);
    }
  }
}

async function resolveOutside(options: DnsServerOptions, target: string, question: Question): Promise<Answer[]> {
  const packet = dnsPacket.encode({
    type: "query",
    id: 1,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type: question.type, name: target }],
  });
  const answer = await options.forward(packet);
  if (answer === undefined) return [];
  try {
    return dnsPacket.decode(answer).answers ?? [];
  } catch {
    return [];
  }
}

/** Starts the order of the records somewhere else each time, so that clients that take the first spread. */
function rotate(answers: readonly Answer[], random: () => number): readonly Answer[] {
  if (answers.length < 2 || answers[0]?.type === "CNAME") return answers;
  const start = Math.floor(random() * answers.length);
  return [...answers.slice(start), ...answers.slice(0, start)];
}

function encode(
  query: Packet,
  answers: readonly Answer[],
  additionals: readonly Answer[],
  rcode: number,
  maxSize: number,
  options: DnsServerOptions,
): Buffer {
  const edns = query.additionals?.find((r) => r.type === "OPT");
  const limit = edns !== undefined && "udpPayloadSize" in edns ? Math.max(512, edns.udpPayloadSize) : 512;
  const flags =
    dnsPacket.AUTHORITATIVE_ANSWER |
    dnsPacket.RECURSION_AVAILABLE |
    ((query.flags ?? 0) & dnsPacket.RECURSION_DESIRED) |
    rcode;
  const domain = options.state.settings.clusterDomain;
  const opt =
    edns === undefined
      ? []
      : [
          {
            type: "OPT",
            name: ".",
            udpPayloadSize: 1232,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          } as unknown as Answer,
        ];
  const make = (all: boolean): Buffer =>
    dnsPacket.encode({
      type: "response",
      id: query.id ?? 0,
      flags: all ? flags : flags | dnsPacket.TRUNCATED_RESPONSE,
      questions: query.questions ?? [],
      answers: all ? [...answers] : [],
      authorities: answers.length === 0 && (rcode === 0 || rcode === RCODE_NXDOMAIN) ? [soa(domain)] : [],
      additionals: all ? [...additionals, ...opt] : opt,
    });
  const whole = make(true);
  return whole.length <= Math.min(maxSize, maxSize === 65_535 ? maxSize : limit) ? whole : make(false);
}

function truncated(answer: Buffer): Buffer {
  const packet = dnsPacket.decode(answer);
  return dnsPacket.encode({
    ...packet,
    flags: (packet.flags ?? 0) | dnsPacket.TRUNCATED_RESPONSE,
    answers: [],
    authorities: [],
    additionals: [],
  });
}

/** Refuses in the words of the protocol when the answer could not be made. */
function servfail(raw: Buffer): Buffer {
  const answer = Buffer.from(raw);
  answer.writeUInt16BE(0x8180 | RCODE_SERVFAIL, 2);
  return answer;
}

export interface DnsServer {
  close(): void;
}

/** Serves DNS on one address; resolves when both sockets are bound. */
export async function startDnsServer(options: DnsServerOptions, address: string, port: number): Promise<DnsServer> {
  const udp = dgram.createSocket({ type: "udp4" });
  udp.on("error", (error) => options.log(`DNS over UDP: ${error.message}`));
  udp.on("message", (message, peer) => {
    void safely(options, message, 65_534).then((answer) => {
      if (answer !== undefined) udp.send(answer, peer.port, peer.address, () => {});
    });
  });
  const tcp = net.createServer((socket) => serveTcp(options, socket));
  tcp.on("error", (error) => options.log(`DNS over TCP: ${error.message}`));
  await Promise.all([
    new Promise<void>((resolve, reject) => udp.once("error", reject).bind(port, address, resolve)),
    new Promise<void>((resolve, reject) => tcp.once("error", reject).listen(port, address, resolve)),
  ]);
  return {
    close() {
      udp.close();
      tcp.close();
    },
  };
}

async function safely(options: DnsServerOptions, message: Buffer, maxSize: number): Promise<Buffer | undefined> {
  try {
    return await answerPacket(options, message, maxSize);
  } catch (error) {
    options.log(`DNS query failed: ${error instanceof Error ? error.message : String(error)}`);
    return message.length >= 12 ? servfail(message) : undefined;
  }
}

function serveTcp(options: DnsServerOptions, socket: net.Socket): void {
  let buffered = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.setTimeout(MAX_TCP_IDLE_MS, () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const size = buffered.readUInt16BE(0);
      const message = buffered.subarray(2, 2 + size);
      buffered = buffered.subarray(2 + size);
      void safely(options, message, 65_535).then((answer) => {
        if (answer === undefined || socket.destroyed) return;
        const head = Buffer.alloc(2);
        head.writeUInt16BE(answer.length, 0);
        socket.write(Buffer.concat([head, answer]));
      });
    }
  });
}
