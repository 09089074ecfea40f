import { describe, expect, it } from "vitest";
import { allows, indexPolicies, partyOf } from "../policy/decide.ts";
import { blockRanges } from "../policy/ranges.ts";
import {
  compilePolicy,
  peerOfPod,
  type NetworkPolicy,
  type NetworkPolicyPeer,
  type PolicyPeer,
  type PolicyWorld,
} from "./network-policy.ts";
import { gatewayId, policyNamespaceLabels, servicePeers } from "./policy-peers.ts";

const WEB = "10.128.0.5";
const API = "10.128.0.6";
const OTHER = "10.128.0.7";
const DNS = "10.64.0.10";
const GATEWAY = "10.128.0.1";

const peer = (id: string, namespace: string, app: string, ports: PolicyPeer["ports"] = []): PolicyPeer => ({
  id,
  namespace,
  labels: { app },
  ports,
});

const world: PolicyWorld = {
  pods: [
    peer(WEB, "shop", "web", [{ name: "http", number: 8080, protocol: "TCP" }]),
    peer(API, "shop", "api", [{ name: "http", number: 9090, protocol: "TCP" }]),
    peer(OTHER, "other", "web"),
  ],
  services: servicePeers({ api: "10.64.0.1", dns: DNS, gateway: GATEWAY }, [
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata: { namespace: "edge", name: "public" },
      spec: { gatewayClassName: "travelops", listeners: [] },
    },
  ]),
  namespaceLabels: (name) => policyNamespaceLabels(name, { "kubernetes.io/metadata.name": name, team: name }),
};

const policy = (spec: NetworkPolicy["spec"], namespace = "shop"): NetworkPolicy => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "p", namespace },
  ...(spec === undefined ? {} : { spec }),
});

const ask = (policies: NetworkPolicy[], from: string, to: string, port: number, protocol: "TCP" | "UDP" = "TCP") =>
  allows(indexPolicies(policies.map((p) => compilePolicy(p, world))), partyOf(from), {
    ip: to,
    ports: [port],
    protocol,
  });

describe("NetworkPolicies", () => {
  const cases: [string, NetworkPolicy["spec"][], string, string, number, boolean][] = [
    ["no policy: open", [], API, WEB, 8080, true],
    ["default deny of ingress", [{ podSelector: {} }], API, WEB, 8080, false],
    ["default deny of ingress leaves egress", [{ podSelector: {} }], WEB, OTHER, 80, true],
    ["a pod reaches itself", [{ podSelector: {}, policyTypes: ["Ingress", "Egress"] }], WEB, WEB, 8080, true],
    ["default deny of egress", [{ podSelector: {}, policyTypes: ["Egress"] }], WEB, OTHER, 80, false],
    ["egress rules without policyTypes isolate both ways", [{ podSelector: {}, egress: [{}] }], OTHER, WEB, 80, false],
    ["a rule without peers lets everybody in", [{ podSelector: {}, ingress: [{}] }], OTHER, WEB, 80, true],
    ["only selected pods are isolated", [{ podSelector: { matchLabels: { app: "api" } } }], OTHER, WEB, 80, true],
    [
      "podSelector means pods of the policy's namespace",
      [{ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: "web" } } }] }] }],
      OTHER,
      API,
      80,
      false,
    ],
    [
      "namespaceSelector means every pod there",
      [{ podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "other" } } }] }] }],
      OTHER,
      API,
      80,
      true,
    ],
    [
      "both in one peer must hold",
      [
        {
          podSelector: {},
          ingress: [
            {
              from: [
                {
                  namespaceSelector: { matchLabels: { team: "other" } },
                  podSelector: { matchLabels: { app: "nobody" } },
                },
              ],
            },
          ],
        },
      ],
      OTHER,
      API,
      80,
      false,
    ],
    [
      "two peers: one is enough",
      [
        {
          podSelector: {},
          ingress: [
            {
              from: [
                { namespaceSelector: { matchLabels: { team: "other" } } },
                { podSelector: { matchLabels: { app: "nobody" } } },
              ],
            },
          ],
        },
      ],
      OTHER,
      API,
      80,
      true,
    ],
    [
      "union of policies",
      [{ podSelector: {} }, { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }],
      API,
      WEB,
      80,
      true,
    ],
    ["a port", [{ podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] }], API, WEB, 80, true],
    ["another port", [{ podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] }], API, WEB, 81, false],
    ["endPort", [{ podSelector: {}, ingress: [{ ports: [{ port: 80, endPort: 90 }] }] }], API, WEB, 90, true],
    ["beyond endPort", [{ podSelector: {}, ingress: [{ ports: [{ port: 80, endPort: 90 }] }] }], API, WEB, 91, false],
    ["a protocol alone", [{ podSelector: {}, ingress: [{ ports: [{ protocol: "TCP" }] }] }], API, WEB, 1234, true],
    ["UDP is not TCP", [{ podSelector: {}, ingress: [{ ports: [{ protocol: "UDP" }] }] }], API, WEB, 1234, false],
    ["a port's name, in", [{ podSelector: {}, ingress: [{ ports: [{ port: "http" }] }] }], API, WEB, 8080, true],
    [
      "a port's name is each pod's own",
      [{ podSelector: {}, ingress: [{ ports: [{ port: "http" }] }] }],
      API,
      WEB,
      9090,
      false,
    ],
    [
      "a port's name, out",
      [{ podSelector: {}, policyTypes: ["Egress"], egress: [{ ports: [{ port: "http" }] }] }],
      WEB,
      API,
      9090,
      true,
    ],
    ["a name nobody has", [{ podSelector: {}, ingress: [{ ports: [{ port: "nope" }] }] }], API, WEB, 8080, false],
    [
      "ipBlock",
      [{ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "10.128.0.0/24" } }] }] }],
      OTHER,
      WEB,
      80,
      true,
    ],
    [
      "ipBlock's except",
      [
        {
          podSelector: {},
          ingress: [{ from: [{ ipBlock: { cidr: "10.128.0.0/24", except: ["10.128.0.7/32"] } }] }],
        },
      ],
      OTHER,
      WEB,
      80,
      false,
    ],
    [
      "the world outside",
      [{ podSelector: {}, policyTypes: ["Egress"], egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }] }],
      WEB,
      "93.184.216.34",
      443,
      true,
    ],
    [
      "in-cluster peers only: not the world",
      [{ podSelector: {}, policyTypes: ["Egress"], egress: [{ to: [{ namespaceSelector: {} }] }] }],
      WEB,
      "93.184.216.34",
      443,
      false,
    ],
    [
      "the ingress comes from openshift-ingress",
      [
        {
          podSelector: {},
          ingress: [
            { from: [{ namespaceSelector: { matchLabels: { "policy-group.network.openshift.io/ingress": "" } } }] },
          ],
        },
      ],
      GATEWAY,
      WEB,
      8080,
      true,
    ],
  ];
  it.each(cases)("%s", (_name, specs, from, to, port, expected) => {
    expect(
      ask(
        specs.map((s) => policy(s)),
        from,
        to,
        port,
      ),
    ).toBe(expected);
  });

  it("lets DNS out where a rule names kube-dns, or OpenShift's DNS pods", () => {
    const egress = (namespace: string, podSelector: NetworkPolicyPeer["podSelector"], port: number): NetworkPolicy =>
      policy({
        podSelector: {},
        policyTypes: ["Egress"],
        egress: [
          {
            to: [
              {
                namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
                ...(podSelector === undefined ? {} : { podSelector }),
              },
            ],
            ports: [{ protocol: "UDP", port }],
          },
        ],
      });
    const dns = (p: NetworkPolicy): boolean =>
      allows(indexPolicies([compilePolicy(p, world)]), partyOf(WEB), { ip: DNS, ports: [53, 5353], protocol: "UDP" });
    expect(dns(egress("kube-system", { matchLabels: { "k8s-app": "kube-dns" } }, 53))).toBe(true);
    expect(dns(egress("openshift-dns", undefined, 5353))).toBe(true);
    expect(dns(egress("openshift-dns", undefined, 54))).toBe(false);
    expect(dns(egress("shop", undefined, 53))).toBe(false);
  });

  it("knows a Gateway by the labels of its Deployment upstream", () => {
    const row = compilePolicy(
      policy({
        podSelector: {},
        ingress: [
          {
            from: [
              {
                namespaceSelector: { matchLabels: { team: "edge" } },
                podSelector: { matchLabels: { "gateway.networking.k8s.io/gateway-name": "public" } },
              },
            ],
          },
        ],
      }),
      world,
    );
    const to = { ip: WEB, ports: [8080], protocol: "TCP" } as const;
    const from = (id: string) => ({ ip: GATEWAY, ids: [GATEWAY, id] });
    expect(allows(indexPolicies([row]), from(gatewayId("edge", "public")), to)).toBe(true);
    expect(allows(indexPolicies([row]), from(gatewayId("edge", "inner")), to)).toBe(false);
  });

  it("counts no pod that has ended or lives in its node's network", () => {
    const pod = (extra: { hostNetwork?: boolean; phase?: string }) =>
      peerOfPod({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "a", namespace: "shop" },
        spec: { containers: [], ...(extra.hostNetwork === true ? { hostNetwork: true } : {}) },
        status: { podIP: WEB, phase: extra.phase ?? "Running" },
      } as Parameters<typeof peerOfPod>[0]);
    expect(pod({})?.id).toBe(WEB);
    expect(pod({ hostNetwork: true })).toBeUndefined();
    expect(pod({ phase: "Succeeded" })).toBeUndefined();
  });
});

describe("address ranges", () => {
  it("are the block without its holes", () => {
    expect(blockRanges("10.0.0.0/30", ["10.0.0.1/32"])).toEqual([
      { from: 0x0a000000, to: 0x0a000000 },
      { from: 0x0a000002, to: 0x0a000003 },
    ]);
    expect(blockRanges("10.0.0.0/30", ["10.0.0.0/8"])).toEqual([]);
    expect(blockRanges("2001:db8::/32")).toEqual([]);
  });
});
