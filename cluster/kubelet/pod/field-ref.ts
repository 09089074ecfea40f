/** The downward API: fields of the pod and resources of its containers as text. */
import { parseQuantity, quantityMilli, quantityValue, type Quantity } from "@travelops/kube/api/quantity.ts";
import type { Container, Pod } from "@travelops/kube/api/types/index.ts";

export interface NodeFacts {
  readonly name: string;
  readonly hostIP: string;
  readonly allocatable: Readonly<Record<string, string>>;
}

export class FieldRefError extends Error {
  override readonly name = "FieldRefError";
}

const SUBSCRIPT = /^metadata\.(labels|annotations)\['(.*)'\]$/;

/** The value of a fieldRef; as upstream's ExtractFieldPathAsString. */
export function fieldValue(path: string, pod: Pod, node: NodeFacts, podIP: string): string {
  const { metadata, spec } = pod;
  const subscript = SUBSCRIPT.exec(path);
  if (subscript !== null) return metadata[subscript[1] as "labels" | "annotations"]?.[subscript[2] ?? ""] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name ?? "";
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return formatMap(metadata.labels);
    case "metadata.annotations":
      return formatMap(metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "default";
    case "status.hostIP":
    case "status.hostIPs":
      return node.hostIP;
    case "status.podIP":
    case "status.podIPs":
      return podIP;
    default:
      throw new FieldRefError(`unsupported fieldPath: ${path}`);
  }
}

/** Labels and annotations as a downward API file has them: sorted, quoted as Go's %q. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}

/** The value of a resourceFieldRef, divided and rounded up. */
export function resourceValue(
  ref: { resource: string; divisor?: string },
  container: Container,
  node: NodeFacts,
): string {
  const [kind = "", name = ""] = split(ref.resource);
  if ((kind !== "limits" && kind !== "requests") || name === "")
    throw new FieldRefError(`Unsupported container resource : ${ref.resource}`);
  const set = container.resources?.[kind]?.[name];
  // Without a limit a container may use the node.
  const text =
    set ??
    (kind === "limits" && (name === "cpu" || name === "memory" || name === "ephemeral-storage")
      ? node.allocatable[name]
      : undefined) ??
    "0";
  return divide(parseQuantity(text), parseQuantity(ref.divisor ?? "0"), name);
}

const split = (resource: string): string[] => {
  const dot = resource.indexOf(".");
  return [resource.slice(0, dot), resource.slice(dot + 1)];
};

function divide(value: Quantity, divisor: Quantity, name: string): string {
  const zero = divisor.nano === 0n;
  if (name === "cpu") {
    const by = zero ? 1000n : quantityMilli(divisor);
    return String((quantityMilli(value) + by - 1n) / by);
  }
  const by = zero ? 1n : quantityValue(divisor);
  return String((quantityValue(value) + by - 1n) / by);
}
