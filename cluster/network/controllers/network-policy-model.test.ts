/** Compiled policies against a plain reading of the objects, for any policies and pods. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { LabelSelector } from "@travelops/kube";
import { parseIPv4 } from "../address.ts";
import { allows, indexPolicies, partyOf } from "../policy/decide.ts";
import {
  compilePolicy,
  type NetworkPolicy,
  type NetworkPolicyPeer,
  type NetworkPolicyPort,
  type PolicyPeer,
  type PolicyWorld,
} from "./network-policy.ts";

const peer = (id: string, namespace: string, app: string, ports: PolicyPeer["ports"] = []): PolicyPeer => ({
  id,
  namespace,
  labels: { app },
  ports,
});

const policy = (spec: NetworkPolicy["spec"], namespace = "shop"): NetworkPolicy => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "p", namespace },
  ...(spec === undefined ? {} : { spec }),
});

it("says what a plain reading of the objects says", () => {
  const label = fc.constantFrom("web", "api", "db");
  const namespace = fc.constantFrom("shop", "other", "third");
  const selector: fc.Arbitrary<LabelSelector> = fc.oneof(
    fc.constant({}),
    label.map((app) => ({ matchLabels: { app } })),
    label.map((app) => ({ matchExpressions: [{ key: "app", operator: "NotIn", values: [app] }] })),
  );
  const nsSelector: fc.Arbitrary<LabelSelector> = fc.oneof(
    fc.constant({}),
    namespace.map((team) => ({ matchLabels: { team } })),
  );
  const anyPeer = fc.oneof<fc.Arbitrary<NetworkPolicyPeer>[]>(
    selector.map((podSelector) => ({ podSelector })),
    nsSelector.map((namespaceSelector) => ({ namespaceSelector })),
    fc.record({ podSelector: selector, namespaceSelector: nsSelector }),
    fc.constantFrom("10.128.0.0/30", "10.128.0.4/30", "0.0.0.0/0").map((cidr) => ({ ipBlock: { cidr } })),
    fc.constant({ ipBlock: { cidr: "10.128.0.0/28", except: ["10.128.0.2/31", "10.128.0.9/32"] } }),
  );
  const anyPort: fc.Arbitrary<NetworkPolicyPort> = fc.oneof(
    fc.constantFrom<NetworkPolicyPort>({ port: 80 }, { protocol: "UDP", port: 53 }, { port: 79, endPort: 81 }, {}),
    fc.constant({ port: "http" }),
  );
  const rules = fc.array(
    fc.record({
      peers: fc.option(fc.array(anyPeer, { maxLength: 2 })),
      ports: fc.option(fc.array(anyPort, { maxLength: 2 })),
    }),
    { maxLength: 3 },
  );
  const anyPolicy = fc
    .record({
      namespace,
      podSelector: selector,
      types: fc.subarray(["Ingress", "Egress"]),
      ingress: rules,
      egress: rules,
    })
    .map((p) =>
      policy(
        {
          podSelector: p.podSelector,
          policyTypes: p.types,
          ingress: p.ingress.map((r) => ({
            ...(r.peers === null ? {} : { from: r.peers }),
            ...(r.ports === null ? {} : { ports: r.ports }),
          })),
          egress: p.egress.map((r) => ({
            ...(r.peers === null ? {} : { to: r.peers }),
            ...(r.ports === null ? {} : { ports: r.ports }),
          })),
        },
        p.namespace,
      ),
    );
  const pods = fc.array(fc.record({ namespace, app: label, http: fc.constantFrom(80, 8080, 0) }), {
    minLength: 2,
    maxLength: 8,
  });
  fc.assert(
    fc.property(fc.array(anyPolicy, { maxLength: 4 }), pods, (policies, made) => {
      const all = made.map((p, i) =>
        peer(
          `10.128.0.${i + 1}`,
          p.namespace,
          p.app,
          p.http === 0 ? [] : [{ name: "http", number: p.http, protocol: "TCP" }],
        ),
      );
      const small: PolicyWorld = { pods: all, services: [], namespaceLabels: (name) => ({ team: name }) };
      const index = indexPolicies(policies.map((p) => compilePolicy(p, small)));
      for (const from of all) {
        for (const to of all) {
          for (const [port, protocol] of [
            [80, "TCP"],
            [8080, "TCP"],
            [53, "UDP"],
          ] as const) {
            const expected = from === to || naive(policies, from, to, port, protocol);
            expect(allows(index, partyOf(from.id), { ip: to.id, ports: [port], protocol })).toBe(expected);
          }
        }
      }
    }),
    { numRuns: 150 },
  );
});

/** The specification word by word, one pair of pods at a time. */
function naive(policies: NetworkPolicy[], from: PolicyPeer, to: PolicyPeer, port: number, protocol: string): boolean {
  const labelled = (s: NetworkPolicyPeer["podSelector"], labels: Readonly<Record<string, string>>): boolean =>
    Object.entries(s?.matchLabels ?? {}).every(([k, v]) => labels[k] === v) &&
    (s?.matchExpressions ?? []).every((e) => !(e.values ?? []).includes(labels[e.key] ?? ""));
  const inBlock = (ip: string, cidr: string): boolean => {
    const [base = "", bits = ""] = cidr.split("/");
    const size = 2 ** (32 - Number(bits));
    return Math.floor((parseIPv4(ip) ?? 0) / size) === Math.floor((parseIPv4(base) ?? 0) / size);
  };
  const isPeer = (p: NetworkPolicyPeer, other: PolicyPeer, own: string): boolean => {
    if (p.ipBlock !== undefined)
      return inBlock(other.id, p.ipBlock.cidr) && !(p.ipBlock.except ?? []).some((e) => inBlock(other.id, e));
    const place =
      p.namespaceSelector === undefined
        ? other.namespace === own
        : labelled(p.namespaceSelector, { team: other.namespace });
    return place && (p.podSelector === undefined || labelled(p.podSelector, other.labels));
  };
  const isPort = (p: NetworkPolicyPort): boolean => {
    if ((p.protocol ?? "TCP") !== protocol) return false;
    if (p.port === undefined) return true;
    const first = typeof p.port === "number" ? p.port : to.ports.find((q) => q.name === p.port)?.number;
    return first !== undefined && port >= first && port <= (p.endPort ?? first);
  };
  const side = (self: PolicyPeer, other: PolicyPeer, type: "Ingress" | "Egress"): boolean => {
    const ours = policies.filter(
      (p) =>
        p.metadata.namespace === self.namespace &&
        p.spec?.policyTypes?.includes(type) === true &&
        labelled(p.spec.podSelector, self.labels),
    );
    if (ours.length === 0) return true;
    return ours.some((p) => {
      const rules =
        type === "Ingress"
          ? (p.spec?.ingress ?? []).map((r) => ({ peers: r.from, ports: r.ports }))
          : (p.spec?.egress ?? []).map((r) => ({ peers: r.to, ports: r.ports }));
      return rules.some(
        (r) =>
          (r.peers === undefined || r.peers.length === 0 || r.peers.some((x) => isPeer(x, other, self.namespace))) &&
          (r.ports === undefined || r.ports.length === 0 || r.ports.some(isPort)),
      );
    });
  };
  return side(from, to, "Egress") && side(to, from, "Ingress");
}
