/** Resolves a name as a pod would: search paths, then cluster names, CNAMEs followed. For bare pods and the egress proxy. */
import type { Answer, RecordType } from "dns-packet";
import { answerQuestion, searchNames } from "./dns-answer.ts";
import type { ResolveResult } from "./socket-server.ts";
import type { DataplaneState } from "./state.ts";

const plainData = (answer: Answer): unknown => ("data" in answer ? answer.data : undefined);

export function resolveInCluster(
  state: DataplaneState,
  name: string,
  type: RecordType,
  namespace: string,
): ResolveResult {
  let exists = false;
  for (const candidate of searchNames(name, namespace, state.settings.clusterDomain)) {
    const result = answerQuestion(state, candidate, type);
    switch (result.kind) {
      case "answer": {
        const records = result.answers.filter((a) => a.type === type).map(plainData);
        return { kind: "records", records };
      }
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
