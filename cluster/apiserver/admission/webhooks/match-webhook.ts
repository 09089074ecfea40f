/** Whether a webhook is to be asked about a request, and in which version of the resource. */
import { formatApiVersion, internalError, notFound, type KubeObject } from "@travelops/kube";
import { selects, type LabelSelector } from "@travelops/kube/client/selectors";
import type { AdmissionAttributes } from "../../access.ts";
import type { ServerCore } from "../../server-options.ts";
import type { ServedResource } from "../../registry/registry.ts";
import type { MatchedResource } from "./review.ts";
import { ruleMatches, type Webhook } from "./webhook.ts";

/** A request, with all resources under which its object is served. */
export interface AdmissionTarget {
  readonly requested: MatchedResource;
  /** The requested one is not among them. */
  readonly equivalents: readonly MatchedResource[];
  /** As upstream has it: that of a Namespace is its own name. */
  readonly namespace: string;
}

const isNamespace = ({ group, resource, subresource }: AdmissionAttributes): boolean =>
  group === "" && resource === "namespaces" && subresource === "";

function matchedAs(resource: ServedResource, subresource: string): MatchedResource | undefined {
  const { row } = resource;
  const part = subresource === "" ? row : row.subresources.get(subresource);
  if (part === undefined) return undefined;
  const { group, version, kind } = part;
  return { group: row.group, version: row.version, resource: row.resource, kind: { group, version, kind } };
}

export function admissionTarget(core: ServerCore, attributes: AdmissionAttributes): AdmissionTarget {
  const { group, resource, subresource, request } = attributes;
  const version = request?.version ?? attributes.version;
  const served = core.registry.get(group, version, resource);
  const kind = request?.kind ?? { group, version, kind: attributes.kind };
  const equivalents: MatchedResource[] = [];
  for (const other of core.registry.all()) {
    if (served === undefined || other === served || other.table !== served.table || other.virtual !== undefined)
      continue;
    const matched = matchedAs(other, subresource);
    if (matched !== undefined) equivalents.push(matched);
  }
  return {
    requested: { group, version, resource, kind: { group: kind.group, version: kind.version, kind: kind.kind } },
    equivalents,
    namespace:
      group === "" && resource === "namespaces"
        ? attributes.name === ""
          ? (attributes.object?.metadata.name ?? "")
          : attributes.name
        : attributes.namespace,
  };
}

/** The resource a rule asks for; undefined where none does. */
function matchedResource(
  webhook: Webhook,
  attributes: AdmissionAttributes,
  target: AdmissionTarget,
): MatchedResource | undefined {
  const { operation, subresource } = attributes;
  const matches = (rule: Webhook["rules"][number], { group, version, resource }: MatchedResource): boolean =>
    ruleMatches(rule, { operation, group, version, resource, subresource, namespace: target.namespace });
  if (webhook.rules.some((rule) => matches(rule, target.requested))) return target.requested;
  if (webhook.matchPolicy === "Exact") return undefined;
  for (const rule of webhook.rules) {
    const found = target.equivalents.find((equivalent) => matches(rule, equivalent));
    if (found !== undefined) return found;
  }
  return undefined;
}

type Labels = Readonly<Record<string, string>> | undefined;

function namespaceLabels(core: ServerCore, attributes: AdmissionAttributes, namespace: string): Labels {
  const { operation, object } = attributes;
  if (isNamespace(attributes) && (operation === "CREATE" || operation === "UPDATE")) return object?.metadata.labels;
  const found = core.store.get({ table: "namespaces.", namespace: "", name: namespace });
  if (found === undefined) throw notFound({ group: "", resource: "namespaces" }, namespace);
  return found.object.metadata.labels;
}

/** Cluster-scoped objects other than Namespaces are never left out. */
const selectsNamespace = (
  core: ServerCore,
  selector: LabelSelector | undefined,
  attributes: AdmissionAttributes,
  namespace: string,
): boolean =>
  selector === undefined ||
  (namespace === "" && attributes.resource !== "namespaces") ||
  selects(selector, namespaceLabels(core, attributes, namespace) ?? {});

const selectsObject = (selector: LabelSelector | undefined, { object, oldObject }: AdmissionAttributes): boolean =>
  selector === undefined ||
  [object, oldObject].some((one) => one !== undefined && selects(selector, one.metadata?.labels ?? {}));

/** In which version the webhook is to be asked; undefined: not at all. Match conditions are looked at later. */
export function matchWebhook(
  core: ServerCore,
  webhook: Webhook,
  attributes: AdmissionAttributes,
  target: AdmissionTarget,
): MatchedResource | undefined {
  if (!selectsObject(webhook.objectSelector, attributes)) return undefined;
  const matched = matchedResource(webhook, attributes, target);
  if (matched === undefined || !selectsNamespace(core, webhook.namespaceSelector, attributes, target.namespace))
    return undefined;
  return matched;
}

/** Whether `matched` is of the resource's own kind, which is converted between versions, or of a subresource's. */
const isOwnKind = (resource: ServedResource | undefined, matched: MatchedResource): resource is ServedResource =>
  resource !== undefined && resource.row.kind === matched.kind.kind && resource.row.group === matched.kind.group;

/** The served resource whose schema an object of `matched` has; undefined for kinds that are a subresource's alone. */
export function servedAs(core: ServerCore, matched: MatchedResource): ServedResource | undefined {
  const resource = core.registry.get(matched.group, matched.version, matched.resource);
  return isOwnKind(resource, matched) ? resource : undefined;
}

/** An object of the request, in the version that was matched. Rejects with `StatusError` 500. */
export async function shownIn(
  core: ServerCore,
  matched: MatchedResource,
  object: KubeObject | undefined,
): Promise<KubeObject | undefined> {
  const resource = servedAs(core, matched);
  if (object === undefined || resource === undefined) return object;
  const apiVersion = formatApiVersion(matched.group, matched.version);
  if (object.apiVersion === apiVersion) return object;
  try {
    if (resource.conversion === undefined) return resource.fromStorage?.(object) ?? object;
    return await (await resource.conversion.converter()).convert(core, object, apiVersion);
  } catch (error) {
    throw internalError(error instanceof Error ? error.message : String(error));
  }
}
