/** A Gateway's listeners: which are valid, what they take, and what their status says. Pure. */
import type { CertificateRef, Gateway, GatewayClass, Listener, ReferenceGrant } from "./types.ts";
import type { KeyPair } from "./key-pair.ts";
import { GATEWAY_GROUP } from "./types.ts";
import type { WantedCondition, World } from "./world.ts";

export const GATEWAY_CONTROLLER = "travelops.io/gateway-controller";
export const ISTIO_CONTROLLER = "istio.io/gateway-controller";
/** Marks the class `istio` as ours for as long as no mesh brings its own. */
export const SERVED_BY_ANNOTATION = "travelops.io/served-by";

/** The name under which we write the status of a class's routes; `undefined`: not ours. */
export function controllerFor(gatewayClass: GatewayClass | undefined): string | undefined {
  if (gatewayClass === undefined) return undefined;
  const { controllerName } = gatewayClass.spec;
  if (controllerName === GATEWAY_CONTROLLER) return controllerName;
  const lent = gatewayClass.metadata.annotations?.[SERVED_BY_ANNOTATION] === "network";
  return lent && controllerName === ISTIO_CONTROLLER ? controllerName : undefined;
}

export type RouteKind = "HTTPRoute" | "GRPCRoute" | "TLSRoute";

const KINDS: Readonly<Record<string, readonly RouteKind[]>> = {
  HTTP: ["HTTPRoute", "GRPCRoute"],
  HTTPS: ["HTTPRoute", "GRPCRoute"],
  TLS: ["TLSRoute"],
};

export interface ListenerState {
  readonly listener: Listener;
  /** Takes routes. */
  readonly accepted: boolean;
  readonly kinds: readonly RouteKind[];
  readonly certificate: KeyPair | undefined;
  readonly conditions: readonly WantedCondition[];
}

/** Whether an object of one namespace may name one of another: same namespace, or a ReferenceGrant allows it. */
export function mayReference(
  grants: readonly ReferenceGrant[],
  from: { group: string; kind: string; namespace: string },
  to: { group: string; kind: string; namespace: string; name: string },
): boolean {
  if (from.namespace === to.namespace) return true;
  return grants.some(
    (grant) =>
      grant.metadata.namespace === to.namespace &&
      grant.spec.from.some((f) => f.group === from.group && f.kind === from.kind && f.namespace === from.namespace) &&
      grant.spec.to.some(
        (t) =>
          t.group === to.group && t.kind === to.kind && (t.name === undefined || t.name === "" || t.name === to.name),
      ),
  );
}

export function listenerStates(gateway: Gateway, world: World): ListenerState[] {
  return gateway.spec.listeners.map((listener) => listenerState(gateway, listener, world));
}

function listenerState(gateway: Gateway, listener: Listener, world: World): ListenerState {
  const observedGeneration = gateway.metadata.generation ?? 0;
  const say = (type: string, ok: boolean, reason: string, message: string): WantedCondition => ({
    type,
    status: ok ? "True" : "False",
    reason,
    message,
    observedGeneration,
  });
  const supported = KINDS[listener.protocol];
  const conflict = conflictOf(gateway, listener);
  const accepted = supported !== undefined && tlsModeFault(listener) === undefined && conflict === undefined;
  const kinds = allowedKinds(listener, supported ?? []);
  const tls = certificateOf(gateway, listener, world);
  const refs = kinds.fault ?? tls.fault;
  const programmed = accepted && (tls.fault === undefined || tls.certificate !== undefined);
  const conditions = [
    supported === undefined
      ? say(
          "Accepted",
          false,
          "UnsupportedProtocol",
          `protocol ${listener.protocol} is not supported; use HTTP, HTTPS or TLS`,
        )
      : say(
          "Accepted",
          accepted,
          accepted ? "Accepted" : (conflict ?? "UnsupportedValue"),
          accepted
            ? "the listener is accepted"
            : (tlsModeFault(listener) ?? "the listener conflicts with another of this Gateway"),
        ),
    say(
      "Conflicted",
      conflict !== undefined,
      conflict ?? "NoConflicts",
      conflict === undefined
        ? "no conflicts"
        : "another listener of this Gateway has the same port and protocol or host name",
    ),
    say(
      "ResolvedRefs",
      refs === undefined,
      refs?.reason ?? "ResolvedRefs",
      refs?.message ?? "all references are resolved",
    ),
    say(
      "Programmed",
      programmed,
      programmed ? "Programmed" : "Invalid",
      programmed ? "the listener serves" : "the listener is invalid; see its other conditions",
    ),
  ];
  return { listener, accepted: programmed, kinds: kinds.kinds, certificate: tls.certificate, conditions };
}

function tlsModeFault(listener: Listener): string | undefined {
  const mode = listener.tls?.mode ?? "Terminate";
  if (listener.protocol === "HTTPS" && mode === "Passthrough")
    return "a listener of protocol HTTPS ends TLS; use protocol TLS for mode Passthrough";
  return undefined;
}

/** Later listeners lose against earlier ones they clash with. */
function conflictOf(gateway: Gateway, listener: Listener): "ProtocolConflict" | "HostnameConflict" | undefined {
  const index = gateway.spec.listeners.indexOf(listener);
  const family = (protocol: string): string => (protocol === "HTTPS" || protocol === "TLS" ? "tls" : protocol);
  for (const other of gateway.spec.listeners.slice(0, index)) {
    if (other.port !== listener.port) continue;
    if (family(other.protocol) !== family(listener.protocol)) return "ProtocolConflict";
    if ((other.hostname ?? "") === (listener.hostname ?? "")) return "HostnameConflict";
  }
  return undefined;
}

interface Fault {
  readonly reason: string;
  readonly message: string;
}

function allowedKinds(
  listener: Listener,
  supported: readonly RouteKind[],
): { kinds: readonly RouteKind[]; fault?: Fault } {
  const asked = listener.allowedRoutes?.kinds;
  if (asked === undefined || asked.length === 0) return { kinds: supported };
  const kinds = supported.filter((kind) =>
    asked.some((a) => a.kind === kind && (a.group ?? GATEWAY_GROUP) === GATEWAY_GROUP),
  );
  const unknown = asked.filter(
    (a) => (a.group ?? GATEWAY_GROUP) !== GATEWAY_GROUP || !supported.some((kind) => kind === a.kind),
  );
  if (unknown.length === 0) return { kinds };
  const message = `allowedRoutes.kinds: ${unknown.map((u) => u.kind).join(", ")} cannot be attached to a listener of protocol ${listener.protocol}`;
  return { kinds, fault: { reason: "InvalidRouteKinds", message } };
}

interface Certified {
  readonly certificate: KeyPair | undefined;
  readonly fault?: Fault;
}

/** The first certificate that is there; a fault if any of them is not. Without one of its own the listener has the cluster's. */
function certificateOf(gateway: Gateway, listener: Listener, world: World): Certified {
  const ends = listener.protocol === "HTTPS" || (listener.protocol === "TLS" && listener.tls?.mode !== "Passthrough");
  if (!ends) return { certificate: undefined };
  const found = (listener.tls?.certificateRefs ?? []).map((ref) => resolveCertificate(ref, gateway, world));
  const fault = found.find((f) => f.fault !== undefined)?.fault;
  const certificate = found.find((f) => f.certificate !== undefined)?.certificate;
  return { certificate, ...(fault === undefined ? {} : { fault }) };
}

function resolveCertificate(ref: CertificateRef, gateway: Gateway, world: World): Certified {
  const faulty = (reason: string, message: string): Certified => ({
    certificate: undefined,
    fault: { reason, message },
  });
  const own = gateway.metadata.namespace ?? "";
  const namespace = ref.namespace ?? own;
  if ((ref.group ?? "") !== "" || (ref.kind ?? "Secret") !== "Secret")
    return faulty(
      "InvalidCertificateRef",
      `certificateRefs: ${ref.group ?? "core"}/${ref.kind ?? ""} is not supported; name a Secret`,
    );
  const from = { group: GATEWAY_GROUP, kind: "Gateway", namespace: own };
  if (!mayReference(world.grants, from, { group: "", kind: "Secret", namespace, name: ref.name }))
    return faulty(
      "RefNotPermitted",
      `no ReferenceGrant in namespace ${namespace} lets Gateways of ${own} use Secret ${ref.name}`,
    );
  const certificate = world.certificate(namespace, ref.name);
  if (certificate !== undefined) return { certificate };
  return faulty(
    "InvalidCertificateRef",
    `Secret ${namespace}/${ref.name} of type kubernetes.io/tls with a certificate and its key does not exist`,
  );
}
