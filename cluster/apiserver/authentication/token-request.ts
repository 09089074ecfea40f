/** `POST serviceaccounts/NAME/token`. */
import { badRequest, conflict, fieldInvalid, invalid, notFound, parseApiVersion } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import { formatTime } from "@travelops/kube/api/clock";
import type { Clock } from "@travelops/kube/api/clock";
import type { TokenRequest } from "@travelops/kube/api/types/cluster";
import type { Store } from "../../store/store.ts";
import type { IssueToken } from "../access.ts";
import {
  credentialIdOf,
  type KubernetesClaims,
  type ObjectIdentity,
  type ServiceAccountTokens,
} from "./service-account-tokens.ts";

const DEFAULT_SECONDS = 3_600;
const SHORTEST_SECONDS = 600;
const LONGEST_SECONDS = 2 ** 32;
/** What the admission plug-in asks for pods: such tokens live a year, for clients that never read them again, as upstream does it. */
const POD_SECONDS = 3_607;
const EXTENDED_SECONDS = 365 * 24 * 3_600;

const BINDABLE: Readonly<Record<string, "pod" | "secret" | "node">> = {
  Pod: "pod",
  Secret: "secret",
  Node: "node",
};

export function tokenIssuer(tokens: ServiceAccountTokens, store: Store, clock: Clock, uuid: () => string): IssueToken {
  return async ({ namespace, serviceAccount, object, annotate }) => {
    const account = store.get({ table: "serviceaccounts.", namespace, name: serviceAccount });
    if (account === undefined) throw notFound({ group: "", resource: "serviceaccounts" }, serviceAccount);
    const { spec } = object as TokenRequest;
    const asked = spec?.expirationSeconds ?? DEFAULT_SECONDS;
    checkDuration(asked);
    const given = spec?.audiences ?? [];
    const audiences = given.length > 0 ? given : [tokens.issuer];
    const bound = boundClaims(store, namespace, serviceAccount, spec?.boundObjectRef);
    const now = Math.floor(clock.now() / 1000);
    const extended =
      asked === POD_SECONDS && bound.pod !== undefined && audiences.every((audience) => audience === tokens.issuer);
    const claims: KubernetesClaims = {
      namespace,
      ...bound,
      serviceaccount: { name: serviceAccount, uid: account.object.metadata.uid ?? "" },
      ...(extended ? { warnafter: now + asked } : {}),
    };
    const id = uuid();
    const token = await tokens.sign({
      audiences,
      expires: now + (extended ? EXTENDED_SECONDS : asked),
      id,
      claims,
    });
    annotate?.("authentication.kubernetes.io/issued-credential-id", credentialIdOf(id));
    return {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: { name: serviceAccount, namespace, creationTimestamp: formatTime(clock.now()) },
      spec: { ...spec, audiences, expirationSeconds: asked },
      status: { token, expirationTimestamp: formatTime((now + asked) * 1000) },
    };
  };
}

function checkDuration(seconds: number): void {
  const field = "spec.expirationSeconds";
  const why =
    seconds < SHORTEST_SECONDS
      ? "may not specify a duration less than 10 minutes"
      : seconds > LONGEST_SECONDS
        ? "may not specify a duration larger than 2^32 seconds"
        : "";
  if (why !== "") throw invalid("authentication.k8s.io", "TokenRequest", "", [fieldInvalid(field, seconds, why)]);
}

type BoundRef = TokenRequest["spec"]["boundObjectRef"];

function boundClaims(
  store: Store,
  namespace: string,
  account: string,
  ref: BoundRef,
): Pick<KubernetesClaims, "pod" | "secret" | "node"> {
  // As clients send it that leave nothing out.
  if (ref?.kind === undefined) return {};
  const { group, version } = parseApiVersion(ref.apiVersion ?? "v1");
  const claim = group === "" && version === "v1" ? BINDABLE[ref.kind] : undefined;
  if (claim === undefined)
    throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${ref.kind}`);
  const name = ref.name ?? "";
  const found = store.get({
    table: `${claim}s.`,
    namespace: claim === "node" ? "" : namespace,
    name,
  })?.object;
  if (found === undefined) throw notFound({ group: "", resource: `${claim}s` }, name);
  const uid = found.metadata.uid ?? "";
  if (ref.uid !== undefined && ref.uid !== "" && ref.uid !== uid) {
    const why = `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group: "", resource: ref.kind }, name, why);
  }
  return claim === "pod" ? podClaims(store, account, found, { name, uid }) : { [claim]: { name, uid } };
}

function podClaims(
  store: Store,
  account: string,
  pod: KubeObject,
  identity: ObjectIdentity,
): Pick<KubernetesClaims, "pod" | "node"> {
  const { serviceAccountName, nodeName = "" } = (pod["spec"] ?? {}) as {
    serviceAccountName?: string;
    nodeName?: string;
  };
  if (serviceAccountName !== account) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
    );
  }
  if (nodeName === "") return { pod: identity };
  const uid = store.get({ table: "nodes.", namespace: "", name: nodeName })?.object.metadata.uid;
  return { pod: identity, node: uid === undefined ? { name: nodeName } : { name: nodeName, uid } };
}
