/** Writes requests down, stage by stage, in upstream's form (audit.k8s.io/v1 Event, a line each). */
import { mkdir } from "node:fs/promises";
import { parse as parseYaml } from "yaml";
import { formatMicroTime, type Clock } from "@travelops/kube/api/clock";
import type { Logger } from "@travelops/kube/api/logger";
import { StatusError, type Status } from "@travelops/kube";
import { AuditLog } from "../../store/audit-log.ts";
import type { Annotate } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import { header, type ApiCall, type RequestBody } from "../request/api-call.ts";
import { decodeBody } from "../request/body-codec.ts";
import { isLongRunning } from "../request/request-info.ts";
import type { Reply } from "../request/reply.ts";
import { annotationsFor, type Annotations } from "./annotations.ts";
import { scopeOf, type Policy, type Scope, type Stage } from "./policy.ts";

export interface AuditorOptions {
  /** Of the log's files; made where it is missing. */
  readonly dir: string;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Auditor {
  /** Passes `call` on to `next`, and writes down what comes of it. */
  observe(call: ApiCall, next: (call: ApiCall) => Promise<Reply>): Promise<Reply>;
  /** Resolves once everything is written. */
  close(): Promise<void>;
}

/** As upstream's `--audit-log-maxsize` and `--audit-log-maxbackup` are commonly set. */
const MAX_BYTES = 100 * 1024 * 1024;
const KEEP = 10;

export async function createAuditor({ dir, policy, clock, log }: AuditorOptions): Promise<Auditor> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = new AuditLog({ dir, log, maxBytes: MAX_BYTES, keep: KEEP });
  return {
    async observe(call, next) {
      const { user } = call;
      const scope = user === undefined ? undefined : scopeOf(policy, user.impersonator ?? user, call.info);
      if (user === undefined || scope === undefined || scope.level === "None") return next(call);
      const record = new Recorder(file, clock, call, user, scope);
      call.annotate = record.annotate;
      record.stage("RequestReceived");
      try {
        await record.readRequest();
        const reply = await next(call);
        record.answered(reply);
        return reply;
      } catch (error) {
        record.failed(error);
        throw error;
      }
    },
    close: () => file.close(),
  };
}

/** One request's events. */
class Recorder {
  readonly #file: AuditLog;
  readonly #clock: Clock;
  readonly #call: ApiCall;
  readonly #user: UserInfo;
  readonly #scope: Scope;
  readonly #received: string;
  readonly #annotations: Annotations;
  #requestObject: unknown;

  constructor(file: AuditLog, clock: Clock, call: ApiCall, user: UserInfo, scope: Scope) {
    this.#file = file;
    this.#clock = clock;
    this.#call = call;
    this.#user = user;
    this.#scope = scope;
    this.#received = formatMicroTime(clock.now());
    this.#annotations = annotationsFor(scope.level);
  }

  get annotate(): Annotate {
    return this.#annotations.annotate;
  }

  /** Bodies are read once; whoever handles the request gets the same. */
  async readRequest(): Promise<void> {
    const { level } = this.#scope;
    const { info, method } = this.#call;
    if (level !== "Request" && level !== "RequestResponse") return;
    if (info.kind !== "resource" || method === "GET" || method === "HEAD" || isLongRunning(info)) return;
    this.#requestObject = this.#shown(await valueOf(await this.#call.readBody()));
  }

  stage(stage: Stage, more: Readonly<Record<string, unknown>> = {}): void {
    if (this.#scope.omitStages.includes(stage)) return;
    const now = this.#clock.now();
    const { decision } = this.#call;
    const annotations = {
      ...(decision === undefined
        ? {}
        : {
            "authorization.k8s.io/decision": decision.allowed ? "allow" : "forbid",
            "authorization.k8s.io/reason": decision.reason,
          }),
      ...this.#annotations.all(),
    };
    this.#file.append(now, {
      ...this.#head(stage),
      ...more,
      requestReceivedTimestamp: this.#received,
      stageTimestamp: formatMicroTime(now),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    });
  }

  answered(reply: Reply): void {
    const code = "code" in reply ? reply.code : reply.kind === "upgrade" || reply.kind === "takeover" ? 101 : 200;
    const lasts = reply.kind === "watch" || reply.kind === "stream" || code === 101;
    const response = this.#scope.level === "RequestResponse" ? responseObject(reply) : undefined;
    const more = {
      responseStatus: statusIn(reply) ?? { metadata: {}, code },
      ...this.#bodies(response),
    };
    if (!lasts) return this.stage("ResponseComplete", more);
    this.stage("ResponseStarted", more);
    this.#call.signal.addEventListener("abort", () => this.stage("ResponseComplete", more), { once: true });
  }

  failed(error: unknown): void {
    const { level } = this.#scope;
    // A fault of the server: what it is stands in the server's own log.
    if (!(error instanceof StatusError))
      return this.stage("Panic", { responseStatus: { metadata: {}, status: "Failure", code: 500 } });
    const { status } = error;
    const { kind: _kind, apiVersion: _version, ...rest } = status;
    this.stage("ResponseComplete", {
      responseStatus: { ...rest, metadata: {} },
      ...this.#bodies(level === "RequestResponse" ? status : undefined),
    });
  }

  #bodies(response: unknown): Record<string, unknown> {
    return {
      ...(this.#requestObject === undefined ? {} : { requestObject: this.#requestObject }),
      ...(response === undefined ? {} : { responseObject: this.#shown(response) }),
    };
  }

  #head(stage: Stage): Record<string, unknown> {
    const { id, info, query, headers, remoteAddress = "" } = this.#call;
    const { impersonator } = this.#user;
    const search = query.size === 0 ? "" : `?${query.toString()}`;
    const agent = header(headers, "user-agent");
    return {
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: this.#scope.level,
      auditID: id,
      stage,
      requestURI: info.path + search,
      verb: info.verb,
      user: shownUser(impersonator ?? this.#user),
      ...(impersonator === undefined ? {} : { impersonatedUser: shownUser(this.#user) }),
      ...(remoteAddress === "" ? {} : { sourceIPs: [remoteAddress.replace(/^::ffff:/, "")] }),
      ...(agent === "" ? {} : { userAgent: agent }),
      ...(info.kind === "resource" ? { objectRef: objectRef(info) } : {}),
    };
  }

  #shown(value: unknown): unknown {
    return this.#scope.omitManagedFields ? withoutManagedFields(value) : value;
  }
}

const shownUser = ({ name, uid = "", groups, extra = {} }: UserInfo): object => ({
  username: name,
  ...(uid === "" ? {} : { uid }),
  ...(groups.length === 0 ? {} : { groups }),
  ...(Object.keys(extra).length === 0 ? {} : { extra }),
});

function objectRef({
  resource,
  namespace,
  name,
  group,
  version,
  subresource,
}: Extract<ApiCall["info"], { kind: "resource" }>): object {
  const fields = { resource, namespace, name, apiGroup: group, apiVersion: version, subresource };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

/** What cannot be read is told as such by who handles the request. */
async function valueOf(body: RequestBody): Promise<unknown> {
  try {
    if (body.kind !== "bytes") return body.kind === "value" ? body.value : undefined;
    // Patches come under names of their own.
    if (/^application\/(?:[\w.-]+\+)?json/.test(body.contentType)) return JSON.parse(body.bytes.toString("utf8"));
    if (/yaml/.test(body.contentType)) return parseYaml(body.bytes.toString("utf8"));
    return (await decodeBody(body, false)).value;
  } catch {
    return undefined;
  }
}

function responseObject(reply: Reply): unknown {
  if (reply.kind === "object") return reply.value.object;
  if (reply.kind === "list") return { ...reply.envelope, items: reply.items.map(({ object }) => object) };
  return undefined;
}

function statusIn(reply: Reply): object | undefined {
  if (reply.kind !== "object") return undefined;
  const { kind, apiVersion: _version, ...rest } = reply.value.object as Partial<Status>;
  return kind === "Status" ? { ...rest, metadata: {}, code: reply.code } : undefined;
}

function withoutManagedFields(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { metadata, items } = value as { metadata?: { managedFields?: unknown }; items?: unknown };
  const bare = { ...value } as Record<string, unknown>;
  if (typeof metadata === "object" && metadata !== null) {
    const { managedFields: _fields, ...rest } = metadata;
    bare["metadata"] = rest;
  }
  if (Array.isArray(items)) bare["items"] = items.map(withoutManagedFields);
  return Array.isArray(value) ? value.map(withoutManagedFields) : bare;
}
