/** What Gateways and routes say of themselves: the expectations of the Gateway API for conditions, kinds and counts. */
import { describe, expect, it } from "vitest";
import type { Condition } from "@travelops/kube";
import { gatewayApiIntents } from "./controllers/status-intents.ts";
import type { Gateway, HttpRoute, Listener, ReferenceGrant } from "./controllers/types.ts";
import type { WantedCondition } from "./controllers/world.ts";
import { compiled, gateway, http, route, to, type RouteOptions } from "./testing/gateway-world.ts";

const words = (conditions: readonly WantedCondition[] = []): string =>
  conditions.map((c) => `${c.type}=${c.status}:${c.reason ?? ""}`).join(" ");
const secure = (tls: Listener["tls"], extra: Partial<Listener> = {}): Listener => ({
  name: "https",
  port: 443,
  protocol: "HTTPS",
  tls,
  ...extra,
});
const listenerOf = (all: Listener[], routes: HttpRoute[] = [], grants: ReferenceGrant[] = []) => {
  const last = compiled([gateway(all)], routes, grants).gateways[0]?.listeners.at(-1);
  return [words(last?.conditions), last?.supportedKinds.map((k) => k.kind).join() ?? "", last?.attachedRoutes];
};

const GOOD =
  "Accepted=True:Accepted Conflicted=False:NoConflicts ResolvedRefs=True:ResolvedRefs Programmed=True:Programmed";
const BOTH = "HTTPRoute,GRPCRoute";

describe("a listener", () => {
  const unresolved = (reason: string): string =>
    `Accepted=True:Accepted Conflicted=False:NoConflicts ResolvedRefs=False:${reason} Programmed=False:Invalid`;
  const kinds = (...names: string[]): Partial<Listener> => ({
    allowedRoutes: { kinds: names.map((kind) => ({ kind })) },
  });

  it.each<[string, Listener[], string, string]>([
    ["of HTTP", [http()], GOOD, BOTH],
    ["with a certificate", [secure({ certificateRefs: [{ name: "tls" }] })], GOOD, BOTH],
    ["that takes one kind", [http(kinds("HTTPRoute"))], GOOD, "HTTPRoute"],
    [
      "whose Secret is missing or malformed",
      [secure({ certificateRefs: [{ name: "nope" }] })],
      unresolved("InvalidCertificateRef"),
      BOTH,
    ],
    [
      "that names something of another group",
      [secure({ certificateRefs: [{ name: "tls", group: "wrong.io" }] })],
      unresolved("InvalidCertificateRef"),
      BOTH,
    ],
    [
      "that names something of another kind",
      [secure({ certificateRefs: [{ name: "tls", kind: "ConfigMap" }] })],
      unresolved("InvalidCertificateRef"),
      BOTH,
    ],
    [
      "that names a Secret elsewhere without a grant",
      [secure({ certificateRefs: [{ name: "tls", namespace: "far" }] })],
      unresolved("RefNotPermitted"),
      BOTH,
    ],
    [
      "one of whose certificates is missing",
      [secure({ certificateRefs: [{ name: "tls" }, { name: "nope" }] })],
      "Accepted=True:Accepted Conflicted=False:NoConflicts ResolvedRefs=False:InvalidCertificateRef Programmed=True:Programmed",
      BOTH,
    ],
    [
      "for kinds that there are not",
      [http(kinds("InvalidRoute"))],
      "Accepted=True:Accepted Conflicted=False:NoConflicts ResolvedRefs=False:InvalidRouteKinds Programmed=True:Programmed",
      "",
    ],
    [
      "for a kind that there is and one that there is not",
      [http(kinds("InvalidRoute", "HTTPRoute"))],
      "Accepted=True:Accepted Conflicted=False:NoConflicts ResolvedRefs=False:InvalidRouteKinds Programmed=True:Programmed",
      "HTTPRoute",
    ],
    [
      "like another",
      [http(), http({ name: "again" })],
      "Accepted=False:HostnameConflict Conflicted=True:HostnameConflict ResolvedRefs=True:ResolvedRefs Programmed=False:Invalid",
      BOTH,
    ],
    [
      "of another host name on the same port",
      [http({ hostname: "a.x" }), http({ name: "b", hostname: "b.x" })],
      GOOD,
      BOTH,
    ],
    [
      "of another protocol on the same port",
      [http(), secure({ certificateRefs: [{ name: "tls" }] }, { port: 80 })],
      "Accepted=False:ProtocolConflict Conflicted=True:ProtocolConflict ResolvedRefs=True:ResolvedRefs Programmed=False:Invalid",
      BOTH,
    ],
    [
      "of UDP",
      [http({ protocol: "UDP" })],
      "Accepted=False:UnsupportedProtocol Conflicted=False:NoConflicts ResolvedRefs=True:ResolvedRefs Programmed=False:Invalid",
      "",
    ],
  ])("%s", (_, all, conditions, supported) => {
    expect(listenerOf(all)).toEqual([conditions, supported, 0]);
  });

  const grant = (to_: object, from: object = {}): ReferenceGrant => ({
    apiVersion: "",
    kind: "ReferenceGrant",
    metadata: { name: "g", namespace: "far" },
    spec: {
      from: [{ group: "gateway.networking.k8s.io", kind: "Gateway", namespace: "shop", ...from }],
      to: [{ group: "", kind: "Secret", ...to_ }],
    },
  });
  it.each<[object, object, string]>([
    [{}, {}, "True:ResolvedRefs"],
    [{ name: "tls" }, {}, "True:ResolvedRefs"],
    [{ name: "other" }, {}, "False:RefNotPermitted"],
    [{ kind: "Service" }, {}, "False:RefNotPermitted"],
    [{}, { namespace: "else" }, "False:RefNotPermitted"],
    [{}, { kind: "HTTPRoute" }, "False:RefNotPermitted"],
    [{}, { group: "x.io" }, "False:RefNotPermitted"],
  ])("may use a Secret elsewhere by a grant to %o from %o: %s", (to_, from, expected) => {
    const all = [secure({ certificateRefs: [{ name: "tls", namespace: "far" }] })];
    expect(listenerOf(all, [], [grant(to_, from)])[0]).toContain(`ResolvedRefs=${expected}`);
  });

  it("counts the routes attached to it, also those it cannot serve", () => {
    const two = [route([to("one")], { name: "a" }), route([to("gone")], { name: "b" })];
    expect(listenerOf([http()], two)[2]).toBe(2);
    expect(listenerOf([secure({ certificateRefs: [{ name: "nope" }] })], two)[2]).toBe(2);
    const section = [http({ name: "other", port: 8080 }), http()];
    expect(listenerOf(section, [route([to("one")], { sectionName: "other" })])[2]).toBe(0);
    expect(listenerOf([http(kinds("GRPCRoute"))], two)[2]).toBe(0);
  });
});

describe("a route", () => {
  const verdict = (options: RouteOptions & { backend?: object } = {}, all = [http()]): string => {
    const one = route([{ backendRefs: [{ name: "one", port: 80, ...options.backend }] }], options);
    return words(compiled([gateway(all)], [one]).routes[0]?.parents[0]?.conditions);
  };
  const fine = "ResolvedRefs=True:ResolvedRefs";
  it.each<[string, string, string]>([
    ["that attaches", verdict(), `Accepted=True:Accepted ${fine}`],
    ["for a section there is not", verdict({ sectionName: "x" }), `Accepted=False:NoMatchingParent ${fine}`],
    ["for a port there is not", verdict({ port: 81 }), `Accepted=False:NoMatchingParent ${fine}`],
    [
      "for a section with another port",
      verdict({ sectionName: "http", port: 81 }),
      `Accepted=False:NoMatchingParent ${fine}`,
    ],
    [
      "of names that no listener has",
      verdict({ hostnames: ["b.x"] }, [http({ hostname: "a.x" })]),
      `Accepted=False:NoMatchingListenerHostname ${fine}`,
    ],
    [
      "of a kind that no listener takes",
      verdict({}, [http({ allowedRoutes: { kinds: [{ kind: "GRPCRoute" }] } })]),
      `Accepted=False:NotAllowedByListeners ${fine}`,
    ],
    [
      "of a namespace that no listener takes",
      verdict({ namespace: "far", backend: { name: "away" } }),
      `Accepted=False:NotAllowedByListeners ${fine}`,
    ],
    [
      "of a namespace that a selector takes",
      verdict({ namespace: "far", backend: { name: "away" } }, [
        http({
          allowedRoutes: {
            namespaces: {
              from: "Selector",
              selector: { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values: ["far"] }] },
            },
          },
        }),
      ]),
      `Accepted=True:Accepted ${fine}`,
    ],
    [
      "of an unknown kind of backend",
      verdict({ backend: { kind: "Foo" } }),
      "Accepted=True:Accepted ResolvedRefs=False:InvalidKind",
    ],
    [
      "of a backend of another group",
      verdict({ backend: { group: "x.io" } }),
      "Accepted=True:Accepted ResolvedRefs=False:InvalidKind",
    ],
    [
      "without its Service",
      verdict({ backend: { name: "gone" } }),
      "Accepted=True:Accepted ResolvedRefs=False:BackendNotFound",
    ],
    [
      "to another namespace without a grant",
      verdict({ backend: { name: "away", namespace: "far" } }),
      "Accepted=True:Accepted ResolvedRefs=False:RefNotPermitted",
    ],
  ])("%s", (_, seen, expected) => expect(seen).toBe(expected));
});

describe("a Gateway", () => {
  const said = (addresses: Gateway["spec"]["addresses"], all = [http()]) => {
    const found = compiled([gateway(all, addresses === undefined ? {} : { addresses })], []).gateways[0];
    return [words(found?.conditions), found?.addresses.map((a) => `${a.type} ${a.value}`).join(", ")];
  };
  const good = "Accepted=True:Accepted Programmed=True:Programmed";
  const unusable = "Accepted=True:Accepted Programmed=False:AddressNotUsable";
  const own = "Hostname gw-shop.apps.test";
  it.each<[Gateway["spec"]["addresses"], string, string]>([
    [undefined, good, own],
    [[{ type: "IPAddress" }], good, own],
    [[{ value: "127.0.0.1" }], good, `${own}, IPAddress 127.0.0.1`],
    [[{ type: "Hostname", value: "one" }], good, `${own}, Hostname one`],
    [[{ type: "Hostname", value: "away.far.svc.cluster.local" }], good, `${own}, Hostname away.far.svc.cluster.local`],
    [[{ type: "Hostname", value: "lb.example.com" }], unusable, own],
    [[{ type: "IPAddress", value: "192.0.2.1" }, { value: "127.0.0.1" }], unusable, `${own}, IPAddress 127.0.0.1`],
    [[{ type: "test/fake", value: "x" }], "Accepted=False:UnsupportedAddress Programmed=False:Invalid", own],
  ])("that asks for the addresses %o", (addresses, conditions, given) => {
    expect(said(addresses)).toEqual([conditions, given]);
  });
  it("is accepted as long as one listener serves", () => {
    expect(said(undefined, [http(), http({ name: "b" })])[0]).toBe(
      "Accepted=True:ListenersNotValid Programmed=True:Programmed",
    );
    expect(said(undefined, [http({ protocol: "UDP" })])[0]).toBe(
      "Accepted=False:ListenersNotValid Programmed=False:Invalid",
    );
  });
});

it("all conditions are of the generation they were made for, and keep their time as long as they say the same", () => {
  const then = "2020-01-01T00:00:00Z";
  const known: Condition = {
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "the Gateway is accepted",
    observedGeneration: 3,
    lastTransitionTime: then,
  };
  const old = { ...gateway([http()]), status: { conditions: [known] } };
  const result = compiled([old], [route([to("one")])]);
  const patches = JSON.stringify(gatewayApiIntents(result, Date.parse("2026-01-01T00:00:00Z")).map((i) => i.patch));
  expect([...patches.matchAll(/"observedGeneration":(\d+)/g)].map((m) => m[1]).filter((g) => g !== "4")).toEqual(["0"]);
  expect(patches).toContain(then);
});
