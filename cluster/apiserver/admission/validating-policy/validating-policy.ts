/** ValidatingAdmissionPolicy: expressions in policies, put to use by bindings, decide over requests. */
import { createRequire } from "node:module";
import { type KubeObject, parseApiVersion, StatusError } from "@travelops/kube";
import type { Store } from "../../../store/store.ts";
import type { AdmissionAttributes, Authorize } from "../../access.ts";
import { goJson } from "../../audit/go-json.ts";
import { type AdmissionPlugin, type ClusterView, lookUp, shownName } from "../plugin.ts";
import type { ResourceOfKind, ServedVersion, VersionsOf } from "../resource-of-kind.ts";
import type * as Evaluate from "./evaluate.ts";
import { matchedVersion } from "./match.ts";
import { ConfigurationFault, paramsOf } from "./params.ts";
import { type Binding, isExempt, type Policy } from "./policy.ts";
import { type BoundPolicy, PolicyIndex } from "./policy-index.ts";

export interface ValidatingPolicyOptions {
  readonly store: Store;
  readonly authorize: Authorize;
  readonly resourceOfKind: ResourceOfKind;
  readonly versionsOf: VersionsOf;
}

/** One thing that stands against a request. */
interface Refusal {
  readonly policy: Policy;
  readonly binding: Binding | undefined;
  readonly message: string;
  readonly reason: string;
}

let loaded: typeof Evaluate | undefined;

/** The expressions' engine is read when a policy first matches. */
const evaluator = (): typeof Evaluate =>
  (loaded ??= createRequire(import.meta.url)("./evaluate.ts") as typeof Evaluate);

const CODES: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413 };

export class ValidatingPolicies implements AdmissionPlugin {
  readonly name = "ValidatingAdmissionPolicy";
  readonly #options: ValidatingPolicyOptions;
  readonly #index: PolicyIndex;
  readonly #compiled = new WeakMap<Policy, Evaluate.CompiledPolicy>();

  constructor(options: ValidatingPolicyOptions) {
    this.#options = options;
    this.#index = new PolicyIndex(options.store);
  }

  close(): void {
    this.#index.close();
  }

  validate(attributes: AdmissionAttributes, view: ClusterView): void {
    const bound = this.#index.bound;
    if (bound.length === 0 || isExempt(attributes.group, attributes.resource)) return;
    const refusals = bound.flatMap((one) => this.#apply(one, attributes, view));
    if (refusals[0] !== undefined) throw refusalError(refusals[0], attributes);
  }

  #apply({ policy, bindings }: BoundPolicy, attributes: AdmissionAttributes, view: ClusterView): Refusal[] {
    const { versionsOf } = this.#options;
    const served = matchedVersion(policy.spec.matchConstraints, attributes, view, versionsOf);
    if (served === undefined) return [];
    const unusable = this.#unusable(policy);
    if (unusable !== undefined) return refused(policy, undefined, `failed to configure policy: ${unusable}`);
    const annotations = new Map<string, Set<string>>();
    const refusals = bindings.flatMap((binding) => {
      if (matchedVersion(binding.spec.matchResources, attributes, view, versionsOf) === undefined) return [];
      try {
        return this.#decide(policy, binding, served, attributes, view, annotations);
      } catch (fault) {
        if (!(fault instanceof ConfigurationFault)) throw fault;
        return refused(policy, binding, `failed to configure binding: ${fault.message}`);
      }
    });
    for (const [key, values] of annotations) attributes.annotate?.(`${nameOf(policy)}/${key}`, [...values].join(", "));
    return refusals;
  }

  /** Why a policy can decide nothing: what it takes its parameters from is not served. */
  #unusable({ spec: { paramKind } }: Policy): string | undefined {
    if (paramKind === undefined) return undefined;
    const { group, version } = parseApiVersion(paramKind.apiVersion);
    return this.#options.resourceOfKind(group, paramKind.kind) === undefined
      ? `failed to find resource referenced by paramKind: '${group}/${version}, Kind=${paramKind.kind}'`
      : undefined;
  }

  #decide(
    policy: Policy,
    binding: Binding,
    served: ServedVersion,
    attributes: AdmissionAttributes,
    view: ClusterView,
    annotated: Map<string, Set<string>>,
  ): Refusal[] {
    const { resourceOfKind, authorize } = this.#options;
    const params = paramsOf(policy.spec.paramKind, binding.spec.paramRef, attributes.namespace, view, resourceOfKind);
    if (params.length === 0) return [];
    let compiled = this.#compiled.get(policy);
    if (compiled === undefined) {
      compiled = new (evaluator().CompiledPolicy)(policy.spec);
      this.#compiled.set(policy, compiled);
    }
    const seen = requestView(attributes, served, view, authorize);
    const actions = binding.spec.validationActions ?? [];
    const refusals: Refusal[] = [];
    for (const param of params) {
      const { denials, faults, annotations } = compiled.decide(seen, param);
      for (const [key, value] of annotations) annotated.set(key, (annotated.get(key) ?? new Set()).add(value));
      for (const { message, reason, index } of denials) {
        if (actions.includes("Audit")) noteFailure(attributes, policy, binding, message, index);
        if (actions.includes("Deny")) refusals.push({ policy, binding, message, reason });
        if (actions.includes("Warn"))
          attributes.warn?.(
            `Validation failed for ValidatingAdmissionPolicy '${nameOf(policy)}' with binding '${nameOf(binding)}': ${message}`,
          );
      }
      for (const message of faults) refusals.push({ policy, binding, message, reason: "" });
    }
    return refusals;
  }
}

/** Said of the first failure of a request only, as upstream. */
function noteFailure(
  { annotate }: AdmissionAttributes,
  policy: Policy,
  binding: Binding,
  message: string,
  expressionIndex: number,
): void {
  const { validationActions } = binding.spec;
  const failure = { message, policy: nameOf(policy), binding: nameOf(binding), expressionIndex, validationActions };
  annotate?.("validation.policy.admission.k8s.io/validation_failure", goJson([failure]));
}

const nameOf = (object: KubeObject): string => object.metadata.name ?? "";

const refused = (policy: Policy, binding: Binding | undefined, message: string): Refusal[] =>
  policy.spec.failurePolicy === "Ignore" ? [] : [{ policy, binding, message, reason: "" }];

/** The 4xx of the first refusal, in upstream's words. */
function refusalError({ policy, binding, message, reason }: Refusal, attributes: AdmissionAttributes): StatusError {
  const by = binding === undefined ? "" : ` with binding '${nameOf(binding)}'`;
  const text = `ValidatingAdmissionPolicy '${nameOf(policy)}'${by} denied request: ${message}`;
  const { group, resource } = attributes;
  const name = shownName(attributes);
  const what = group === "" ? resource : `${resource}.${group}`;
  const stated = reason === "" ? "Invalid" : reason;
  return new StatusError(
    CODES[stated] ?? 422,
    stated,
    name === "" ? `${what} is forbidden: ${text}` : `${what} "${name}" is forbidden: ${text}`,
    {
      ...(name === "" ? {} : { name }),
      ...(group === "" ? {} : { group }),
      kind: resource,
      causes: [{ message: text }],
    },
  );
}

/** What expressions see of a request. */
function requestView(
  attributes: AdmissionAttributes,
  served: ServedVersion,
  view: ClusterView,
  authorize: Authorize,
): Evaluate.RequestView {
  const { user, group, resource, subresource, object, oldObject, request } = attributes;
  const inVersion = (one: KubeObject | undefined): unknown =>
    one === undefined ? null : (request?.convert(one, served.version) ?? one);
  const isNamespace = group === "" && resource === "namespaces";
  const namespace = isNamespace ? shownName(attributes) : attributes.namespace;
  const requestedVersion = request?.version ?? attributes.version;
  const kind = request?.kind ?? { group, version: requestedVersion, kind: attributes.kind };
  const ownKind = kind.kind === attributes.kind;
  return {
    user,
    authorize,
    resource: { group, resource, subresource },
    name: shownName(attributes),
    namespace,
    object: inVersion(object),
    oldObject: inVersion(oldObject),
    namespaceObject: isNamespace || namespace === "" ? null : namespaceView(lookUp(view, "namespaces.", "", namespace)),
    request: {
      kind: ownKind ? { ...kind, version: served.version } : kind,
      resource: { group: served.group, version: served.version, resource: served.resource },
      ...(subresource === "" ? {} : { subResource: subresource, requestSubResource: subresource }),
      requestKind: kind,
      requestResource: { group, version: requestedVersion, resource },
      ...(shownName(attributes) === "" ? {} : { name: shownName(attributes) }),
      ...(namespace === "" ? {} : { namespace }),
      operation: attributes.operation,
      userInfo: {
        username: user.name,
        ...(user.uid === undefined || user.uid === "" ? {} : { uid: user.uid }),
        groups: user.groups,
        ...(user.extra === undefined ? {} : { extra: user.extra }),
      },
      dryRun: attributes.dryRun,
      options: request?.options() ?? null,
    },
  };
}

/** A namespace without what is nobody's business in expressions: managed fields, owners. */
function namespaceView(namespace: KubeObject | undefined): unknown {
  if (namespace === undefined) return null;
  const { managedFields: _managed, ownerReferences: _owners, ...metadata } = namespace.metadata;
  return { metadata, spec: namespace["spec"], status: namespace["status"] };
}
