import { describe, expect, it } from "vitest";
import type { PolicyConfig, PolicyEnforcement } from "../config.ts";
import type { FirewallPlan } from "../policy/firewall-rules.ts";
import type { Firewall } from "../policy/firewall.ts";
import { endpoint, pod, service } from "../testing/fixtures.ts";
import { eventually } from "../testing/network-lab.ts";
import { PolicyGate } from "./policy-gate.ts";
import { DataplaneState } from "./state.ts";

const [WEB, CLIENT, NODE] = ["10.128.0.5", "10.128.0.6", "10.128.0.1"];
const DENY: PolicyConfig = { pods: [WEB], ingress: [] };

function gateWith(policies: Record<string, PolicyConfig>, refusal?: Error, rulesMayStand = false) {
  const state = new DataplaneState({
    clusterName: "hub",
    clusterDomain: "cluster.local",
    appsDomain: "apps.test",
    podRange: "10.128.0.0/16",
    serviceRange: "10.64.0.0/16",
    sandbox: "namespaces",
    socketPath: "",
    certificate: { cert: "", key: "" },
    publicPorts: { http: 80, https: 443 },
  });
  state.apply({
    pods: { [WEB]: pod(WEB, "shop/web"), [CLIENT]: pod(CLIENT, "shop/client") },
    services: { "shop/web": service("shop/web", "10.64.0.20", 80, [endpoint(WEB, 8000)]) },
    policies,
  });
  const plans: FirewallPlan[] = [];
  const reports: PolicyEnforcement[] = [];
  let opened = 0;
  let cleared = 0;
  let broken = false;
  const firewall = {
    enforce(plan: FirewallPlan) {
      if (broken) throw new Error("refused");
      plans.push(plan);
    },
    clear: () => cleared++,
    close() {},
  } as unknown as Firewall;
  const gate = new PolicyGate({
    state,
    rulesMayStand,
    isNode: (ip) => ip === NODE,
    openFirewall() {
      opened++;
      return refusal === undefined ? Promise.resolve(firewall) : Promise.reject(refusal);
    },
    report: (enforcement) => reports.push(enforcement),
  });
  const breakDown = (): void => void (broken = true);
  return { gate, state, plans, reports, opened: () => opened, cleared: () => cleared, breakDown };
}

describe("the policy gate", () => {
  it("asks nothing and opens nothing while there is no policy", () => {
    const { gate, opened } = gateWith({});
    gate.refresh({ policies: true, targets: true });
    gate.refresh({ policies: false, targets: true });
    expect([gate.active, opened()]).toEqual([false, 0]);
    expect(gate.mayConnect({ kind: "address", ip: CLIENT }, endpoint(WEB, 8000))).toBe(true);
  });

  it("clears once, without any policy, what a dataplane before it may have left", async () => {
    const { gate, opened, cleared } = gateWith({}, undefined, true);
    gate.refresh({ policies: true, targets: true });
    await eventually(
      () => Promise.resolve(cleared()),
      (count) => count === 1,
    );
    gate.refresh({ policies: false, targets: true });
    gate.refresh({ policies: true, targets: true });
    await new Promise((resolve) => setImmediate(resolve));
    expect([opened(), cleared(), gate.active]).toEqual([1, 1, false]);
  });

  it("clears the rules that stand though the kernel refused the change after them", async () => {
    const { gate, state, plans, reports, cleared, breakDown } = gateWith({ "shop/deny": DENY });
    gate.refresh({ policies: true, targets: true });
    await eventually(
      () => Promise.resolve(plans.length),
      (count) => count === 1,
    );
    breakDown();
    state.apply({ policies: { "shop/other": { pods: [CLIENT], ingress: [] } } });
    gate.refresh({ policies: true, targets: false });
    await eventually(
      () => Promise.resolve(reports.at(-1)),
      (last) => last?.kind === "partial",
    );
    state.apply({ policies: { "shop/deny": null, "shop/other": null } });
    gate.refresh({ policies: true, targets: false });
    await eventually(
      () => Promise.resolve(cleared()),
      (count) => count === 1,
    );
  });

  it("holds pods, the ingress and addresses nobody knows up, nodes and the API server never", () => {
    const { gate } = gateWith({ "shop/deny": DENY });
    gate.refresh({ policies: true, targets: false });
    const to = endpoint(WEB, 8000);
    expect(gate.mayConnect({ kind: "pod", pod: pod(CLIENT, "shop/client") }, to)).toBe(false);
    expect(gate.mayConnect({ kind: "address", ip: "10.128.0.99" }, to)).toBe(false);
    expect(gate.mayEnter(undefined, to)).toBe(false);
    expect(gate.mayConnect({ kind: "address", ip: NODE }, to)).toBe(true);
    expect(gate.mayConnect({ kind: "outside", via: "api" }, to)).toBe(true);
    expect(gate.mayConnect({ kind: "outside", via: "host" }, to)).toBe(true);
  });

  it("tells the kernel which pods are not even to be answered by a Service, once a change", async () => {
    const { gate, state, plans, reports } = gateWith({ "shop/deny": DENY });
    gate.refresh({ policies: true, targets: true });
    await eventually(
      () => Promise.resolve(plans.length),
      (count) => count === 1,
    );
    expect(plans[0]?.denied).toEqual([{ from: CLIENT, to: "10.64.0.20", protocol: "TCP", port: 80 }]);
    expect(reports).toEqual([{ kind: "full" }]);
    state.apply({ services: { "shop/none": service("shop/none", "10.64.0.21", 80, []) } });
    gate.refresh({ policies: false, targets: true });
    state.apply({ services: { "shop/two": service("shop/two", "10.64.0.22", 80, [endpoint(WEB, 8000)]) } });
    gate.refresh({ policies: false, targets: true });
    await eventually(
      () => Promise.resolve(plans.at(-1)?.denied.length),
      (count) => count === 2,
    );
    expect(plans).toHaveLength(2);
  });

  it("says why where the kernel cannot be had, and goes on with what the dataplane connects", async () => {
    const { gate, reports } = gateWith({ "shop/deny": DENY }, new Error("no nf_tables here"));
    gate.refresh({ policies: true, targets: true });
    await eventually(
      () => Promise.resolve(reports.length),
      (count) => count === 1,
    );
    expect(reports).toEqual([{ kind: "partial", why: "no nf_tables here" }]);
    expect(gate.mayConnect({ kind: "address", ip: CLIENT }, endpoint(WEB, 8000))).toBe(false);
  });
});
