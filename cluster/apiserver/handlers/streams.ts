/** Logs, and the subresources that take over a connection (exec, attach, portforward, proxy). */
import {
  badRequest,
  fieldForbidden,
  fieldInvalid,
  invalid,
  serviceUnavailable,
  type FieldError,
  type KubeObject,
} from "@travelops/kube";
import type { LogRequest } from "../api-server.ts";
import type { ApiCall } from "../request/api-call.ts";
import { queryBoolean, queryInteger } from "../request/list-options.ts";
import type { Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { array, read, text } from "../registry/printers/printer.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { admitAction } from "./admit-action.ts";
import { splitName } from "../proxy/targets.ts";
import { requireStored } from "./read.ts";
import { writeContext } from "./write-context.ts";

/** Everything whose verb is `connect`. */
export async function handleStream(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  const user = call.user;
  if (user === undefined) throw new Error("a stream reached its handler without a user");
  await admitConnect(core, call, info, resource);
  const { object } = requireStored(core, resource, { ...info, name: proxiedName(info) });
  if (info.resource === "pods" && info.subresource !== "proxy" && text(read(object, "spec", "nodeName")) === "") {
    throw badRequest(`pod ${info.name} does not have a host assigned`);
  }
  if (info.subresource === "proxy")
    return (await import("../proxy/proxy-subresource.ts")).handleProxy(core, call, info, object);
  if (call.upgrade) return { kind: "upgrade", info, user };
  throw badRequest("Upgrade request required");
}

/** Options of the kinds PodExecOptions and its like: what the query says, as an object. */
function connectOptions(call: ApiCall, info: ResourceRequest, kind: string): KubeObject {
  const options: Record<string, unknown> = { kind, apiVersion: "v1", metadata: {} };
  const { query } = call;
  if (info.subresource === "proxy") {
    if (info.rest !== "" || info.path.endsWith("/")) options["path"] = `/${info.rest.replace(/^\//, "")}`;
  } else if (info.subresource === "portforward") {
    const ports = query.getAll("ports").map(Number);
    if (ports.length > 0) options["ports"] = ports;
  } else {
    for (const name of ["stdin", "stdout", "stderr", "tty"])
      if (queryBoolean(query, name) === true) options[name] = true;
    const container = query.get("container") ?? "";
    if (container !== "") options["container"] = container;
    const command = query.getAll("command");
    if (command.length > 0) options["command"] = command;
  }
  return options as unknown as KubeObject;
}

async function admitConnect(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<void> {
  const kind = resource.row.subresources.get(info.subresource)?.kind ?? "";
  const { options: _none, ...context } = writeContext(core, call, info);
  await admitAction(core, resource, context, {
    operation: "CONNECT",
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    object: connectOptions(call, info, kind),
    oldObject: undefined,
  });
}

/** The name in `https:name:port`. Throws a 400 for what is no such name. */
function proxiedName(info: ResourceRequest): string {
  if (info.subresource !== "proxy") return info.name;
  const split = splitName(info.name);
  if (split === undefined)
    throw badRequest(`invalid ${info.resource.slice(0, -1)} request ${JSON.stringify(info.name)}`);
  return split.name;
}

function containerNames(pod: KubeObject): { all: string[]; main: string[]; init: string[] } {
  const names = (field: string): string[] =>
    array(read(pod, "spec", field)).map((container) => text(read(container, "name")));
  const main = names("containers");
  const init = names("initContainers");
  return { all: [...init, ...main, ...names("ephemeralContainers")], main, init };
}

/** The container a request means. Throws `StatusError` 400 with upstream's text. */
export function containerOf(pod: KubeObject, asked: string): string {
  const { all, main, init } = containerNames(pod);
  const name = pod.metadata.name ?? "";
  if (asked !== "") {
    if (all.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const annotated = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  if (annotated !== undefined && main.includes(annotated)) return annotated;
  const [first] = main;
  if (main.length === 1 && first !== undefined) return first;
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${main.join(" ")}]` +
      (init.length > 0 ? ` or one of the init containers: [${init.join(" ")}]` : ""),
  );
}

/** The options that are numbers. Throws `StatusError` 422 with every fault of them. */
function logLimits(
  call: ApiCall,
  pod: string,
): Pick<LogRequest, "tailLines" | "limitBytes" | "sinceSeconds" | "sinceTime"> {
  const faults: FieldError[] = [];
  const number = (name: string, least: number): number | undefined => {
    const value = queryInteger(call.query, name);
    if (value !== undefined && value < least)
      faults.push(fieldInvalid(name, value, `must be greater than ${least === 0 ? "or equal to 0" : "0"}`));
    return value;
  };
  const tailLines = number("tailLines", 0);
  const limitBytes = number("limitBytes", 1);
  const sinceSeconds = number("sinceSeconds", 1);
  const sinceTime = call.query.get("sinceTime") ?? "";
  if (sinceSeconds !== undefined && sinceTime !== "")
    faults.push(fieldForbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
  if (faults.length > 0) throw invalid("", "PodLogOptions", pod, faults);
  return {
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(sinceTime === "" ? {} : { sinceTime }),
  };
}

export async function handleLog(core: ServerCore, call: ApiCall, info: ResourceRequest): Promise<Reply> {
  if (info.verb !== "get") throw badRequest("logs can only be read");
  const pods = core.registry.get("", "v1", "pods");
  if (pods === undefined) throw serviceUnavailable("pods are not served");
  const pod = requireStored(core, pods, info).object;
  const limits = logLimits(call, info.name);
  const container = containerOf(pod, call.query.get("container") ?? "");
  const phase = text(read(pod, "status", "phase"));
  if (text(read(pod, "spec", "nodeName")) === "") {
    if (phase === "Pending") return { kind: "raw", code: 204, contentType: "text/plain", body: "" };
    throw badRequest(`pod ${info.name} does not have a host assigned`);
  }
  if (core.nodeAccess === undefined)
    throw serviceUnavailable("no node serves logs yet: the kubelet has not registered");
  const request: LogRequest = {
    namespace: info.namespace,
    pod: info.name,
    container,
    follow: queryBoolean(call.query, "follow") ?? false,
    previous: queryBoolean(call.query, "previous") ?? false,
    timestamps: queryBoolean(call.query, "timestamps") ?? false,
    ...limits,
  };
  return { kind: "stream", contentType: "text/plain", chunks: await core.nodeAccess.logs(request, call.signal) };
}
