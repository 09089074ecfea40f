/** What every write shares: who, how, and under which manager's name. */
import { badRequest, invalid, type KubeObject } from "@travelops/kube";
import { formatTime } from "@travelops/kube/api/clock";
import type { Actor } from "../../store/store.ts";
import type { Annotate } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import { header, warn, type ApiCall } from "../request/api-call.ts";
import { fieldValidationOf, type FieldValidation, type OptionsKind } from "../request/body-codec.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import type { ServerCore } from "../server-options.ts";
import type { StrategyContext } from "../registry/strategy.ts";

export interface WriteContext extends StrategyContext {
  readonly actor: Actor;
  readonly manager: string;
  readonly nowMs: number;
  readonly fieldValidation: FieldValidation;
  /** The request's options as an object, for who is asked to admit it. */
  readonly options?: () => Readonly<Record<string, unknown>>;
  /** Absent where the request is not audited. */
  readonly annotate?: Annotate;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal;
  /** Admission has been asked already, about what leads to this write (a binding, an eviction), or has no say. */
  readonly admission?: "none";
}

const MAX_MANAGER = 128;

/** Reads `dryRun`. Throws `StatusError` 422 for anything but All. */
export function dryRunOf(values: readonly string[], kind: OptionsKind): boolean {
  if (values.some((value) => value !== "All" && value !== "")) {
    throw invalid("meta.k8s.io", kind, "", [
      {
        reason: "FieldValueNotSupported",
        field: "dryRun",
        message: `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`,
      },
    ]);
  }
  return values.includes("All");
}

const OPTIONS: Readonly<Partial<Record<string, OptionsKind>>> = {
  update: "UpdateOptions",
  patch: "PatchOptions",
  delete: "DeleteOptions",
  deletecollection: "DeleteOptions",
};

/** The field manager of a request: named, or else the client's program. */
function managerOf(call: ApiCall, user: UserInfo): string {
  const named = call.query.get("fieldManager") ?? "";
  if (named !== "") {
    if (named.length > MAX_MANAGER)
      throw badRequest(`fieldManager: Too long: may not be more than ${MAX_MANAGER} bytes`);
    return named;
  }
  const agent = header(call.headers, "user-agent").split("/")[0]?.trim() ?? "";
  if (agent !== "") return agent.slice(0, MAX_MANAGER);
  if (call.remoteAddress !== undefined) return "unknown";
  // Inside the process a component is known by its name.
  return (user.name.split(":").at(-1) ?? "unknown").slice(0, MAX_MANAGER);
}

/** The options of a write as its sender gave them; those of a patch are shown as an update's. */
function optionsOf(kind: OptionsKind, dryRun: boolean, query: URLSearchParams): Readonly<Record<string, unknown>> {
  const manager = query.get("fieldManager") ?? "";
  const validation = query.get("fieldValidation") ?? "";
  return {
    kind: kind === "PatchOptions" ? "UpdateOptions" : kind,
    apiVersion: "meta.k8s.io/v1",
    ...(dryRun ? { dryRun: ["All"] } : {}),
    ...(manager === "" ? {} : { fieldManager: manager }),
    ...(validation === "" ? {} : { fieldValidation: validation }),
  };
}

export function writeContext(core: ServerCore, call: ApiCall, info: ResourceRequest): WriteContext {
  const user = call.user;
  if (user === undefined) throw new Error("a write reached its handler without a user");
  const verb = info.subresource === "" ? info.verb : `${info.verb}/${info.subresource}`;
  const nowMs = core.clock.now();
  const kind = OPTIONS[info.verb] ?? "CreateOptions";
  const dryRun = dryRunOf(call.query.getAll("dryRun"), kind);
  return {
    user,
    nowMs,
    now: formatTime(nowMs),
    dryRun,
    options: () => optionsOf(kind, dryRun, call.query),
    signal: call.signal,
    warn: (text) => warn(call, text),
    ...(call.annotate === undefined ? {} : { annotate: call.annotate }),
    actor: { user: user.name, verb },
    manager: managerOf(call, user),
    fieldValidation: fieldValidationOf(call.query, kind),
  };
}

export const withMetadata = (object: KubeObject, metadata: KubeObject["metadata"]): KubeObject => ({
  ...object,
  metadata,
});
