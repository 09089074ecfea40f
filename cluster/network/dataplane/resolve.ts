/** Resolves a name as a pod would: search paths, then cluster names, CNAMEs followed. For bare pods and the egress proxy. */
import type { Answer, RecordType } from "dns-packet";
import { addressed, answerQuestion, searchNames, type DnsResult } from "./dns-answer.ts";
import type { AskSibling } from "./siblings.ts";
import type { ResolveResult } from "./socket-server.ts";
import type { DataplaneState } from "./state.ts";

const plainData = (answer: Answer): unknown => ("data" in answer ? answer.data : undefined);

/** A host of a cluster beside this one, that has to be asked for. */
export interface SiblingResult {
  readonly kind: "sibling";
  readonly host: string;
  readonly unknown: ResolveResult;
}

/** As `resolveInCluster`, clusters beside this one included. */
export async function resolveForPod(
  state: DataplaneState,
  sibling: AskSibling,
  ...[name, type, namespace]: [name: string, type: RecordType, namespace: string]
): Promise<ResolveResult> {
  const result = resolveInCluster(state, name, type, namespace);
  if (result.kind !== "sibling") return result;
  const found = await sibling(result.host);
  return found === undefined ? result.unknown : plain(addressed(name, type, found.address), type);
}

/** What needs no asking, without search paths. */
function plain(result: DnsResult, type: RecordType): ResolveResult {
  if (result.kind !== "answer") return { kind: result.kind === "nodata" ? "nodata" : "nxdomain" };
  return { kind: "records", records: result.answers.filter((a) => a.type === type).map(plainData) };
}

export function resolveInCluster(
  state: DataplaneState,
  name: string,
  type: RecordType,
  namespace: string,
): ResolveResult | SiblingResult {
  let exists = false;
  for (const candidate of searchNames(name, namespace, state.settings.clusterDomain)) {
    const result = answerQuestion(state, candidate, type);
    switch (result.kind) {
      case "answer":
        return plain(result, type);
      case "sibling":
        return { kind: "sibling", host: result.host, unknown: plain(result.unknown, type) };
      case "cname":
        return { kind: "records", records: type === "A" ? [{ cname: result.target }] : [] };
      case "nodata":
        exists = true;
        break;
      case "outside":
        return exists ? { kind: "nodata" } : outside(state, name);
      case "nxdomain":
        break;
    }
  }
  return { kind: exists ? "nodata" : "nxdomain" };
}

/** A bare label or a name under the cluster's own domain is nobody's outside. */
function outside(state: DataplaneState, name: string): ResolveResult {
  const plain = name.replace(/\.$/, "").toLowerCase();
  const ours = plain === state.settings.clusterDomain || plain.endsWith(`.${state.settings.clusterDomain}`);
  return ours || !plain.includes(".") ? { kind: "nxdomain" } : { kind: "outside" };
}
