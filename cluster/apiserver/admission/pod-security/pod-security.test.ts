import { describe, expect, it } from "vitest";
import type { KubeObject } from "@travelops/kube";
import type { AdmissionAttributes } from "../../access.ts";
import type { ClusterView } from "../plugin.ts";
import { policyOf, showLevel } from "./levels.ts";
import { podSecurity } from "./pod-security.ts";

type Fields = Record<string, unknown>;
const object = (kind: string, metadata: object, more: Fields = {}): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata,
  ...more,
});
const pod = (spec: Fields, metadata: Fields = {}): KubeObject =>
  object("Pod", { name: "p", namespace: "a", ...metadata }, { spec: { containers: [{ name: "c" }], ...spec } });
const label = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]));

/** A cluster of one namespace `a` with labels, and pods. */
function view(labels: Record<string, string>, pods: readonly KubeObject[] = []): ClusterView {
  const stored = (one: KubeObject) => ({ object: one });
  return {
    get: ({ table, name }: { table: string; name: string }) =>
      table === "namespaces." && name === "a" ? stored(object("Namespace", { name: "a", labels })) : undefined,
    list: (table: string) => ({ items: table === "pods." ? pods.map(stored) : [] }),
    listStaged: () => [],
  } as unknown as ClusterView;
}

interface Outcome {
  readonly refused: string;
  readonly warnings: readonly string[];
}

function admit(given: KubeObject, seen: ClusterView, more: Partial<AdmissionAttributes> = {}): Outcome {
  const warnings: string[] = [];
  const attributes: AdmissionAttributes = {
    operation: more.oldObject === undefined ? "CREATE" : "UPDATE",
    user: { name: "bob", groups: [] },
    group: "",
    version: "v1",
    resource: "pods",
    subresource: "",
    kind: given.kind,
    namespace: given.metadata.namespace ?? "",
    name: given.metadata.name ?? "",
    object: given,
    oldObject: undefined,
    dryRun: false,
    warn: (text) => void warnings.push(text),
    ...more,
  };
  try {
    podSecurity.validate?.(attributes, seen);
    return { refused: "", warnings };
  } catch (error) {
    return { refused: (error as Error).message, warnings };
  }
}

const SAFE: Fields = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  containers: [{ name: "c", securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } } }],
};
const securityContext = (fields: Fields): Fields => ({ containers: [{ name: "c", securityContext: fields }] });

/** What a level says of a pod, without the frame around it. */
function verdict(level: string, given: KubeObject, version = "latest"): string {
  const { refused } = admit(given, view(label({ enforce: level, "enforce-version": version })));
  return refused.replace(/^pods "p" is forbidden: violates PodSecurity "[^"]+": /, "");
}

describe("the baseline level", () => {
  it.each<[string, Fields, string]>([
    [
      "AppArmor",
      securityContext({ appArmorProfile: { type: "Unconfined" } }),
      `forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")`,
    ],
    [
      "capabilities",
      securityContext({ capabilities: { add: ["SYS_TIME", "NET_ADMIN", "KILL"] } }),
      `non-default capabilities (container "c" must not include "NET_ADMIN", "SYS_TIME" in securityContext.capabilities.add)`,
    ],
    ["host namespaces", { hostNetwork: true, hostIPC: true }, "host namespaces (hostNetwork=true, hostIPC=true)"],
    [
      "host paths",
      {
        volumes: [
          { name: "x", hostPath: { path: "/" } },
          { name: "y", hostPath: { path: "/" } },
        ],
      },
      `hostPath volumes (volumes "x", "y")`,
    ],
    [
      "host ports",
      {
        containers: [
          { name: "c", ports: [{ hostPort: 80 }, { containerPort: 9 }] },
          { name: "d", ports: [{ hostPort: 8080 }] },
        ],
      },
      `hostPort (containers "c", "d" use hostPorts 80, 8080)`,
    ],
    [
      "probes elsewhere",
      { containers: [{ name: "c", livenessProbe: { httpGet: { host: "evil" } } }] },
      `probe or lifecycle host (container "c" uses probe or lifecycle host "evil")`,
    ],
    [
      "privileged",
      { initContainers: [{ name: "i", securityContext: { privileged: true } }] },
      `privileged (container "i" must not set securityContext.privileged=true)`,
    ],
    [
      "procMount",
      securityContext({ procMount: "Unmasked" }),
      `procMount (container "c" must not set securityContext.procMount to "Unmasked")`,
    ],
    [
      "SELinux",
      { securityContext: { seLinuxOptions: { type: "spc_t", user: "u" } } },
      `seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)`,
    ],
    [
      "seccomp",
      {
        securityContext: { seccompProfile: { type: "Unconfined" } },
        ...securityContext({ seccompProfile: { type: "Unconfined" } }),
      },
      `seccompProfile (pod and container "c" must not set securityContext.seccompProfile.type to "Unconfined")`,
    ],
    [
      "sysctls",
      { securityContext: { sysctls: [{ name: "kernel.msgmax" }, { name: "net.ipv4.tcp_rmem" }] } },
      "forbidden sysctls (kernel.msgmax)",
    ],
    [
      "Windows",
      { securityContext: { windowsOptions: { hostProcess: true } } },
      "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
    ],
  ])("refuses %s", (_, spec, text) => {
    expect(verdict("baseline", pod(spec))).toBe(text);
  });

  it("lets ordinary pods pass, and everything where nothing is said", () => {
    expect(verdict("baseline", pod({}))).toBe("");
    expect(verdict("privileged", pod({ hostNetwork: true }))).toBe("");
    expect(admit(pod({ hostNetwork: true }), view({ team: "blue" })).refused).toBe("");
  });

  it("is what it was at its version", () => {
    const elsewhere = pod({ containers: [{ name: "c", livenessProbe: { tcpSocket: { host: "x" } } }] });
    expect(verdict("baseline", elsewhere, "v1.33")).toBe("");
    expect(verdict("baseline", elsewhere, "v1.34")).toMatch(/^probe or lifecycle host/);
    const memory = pod({ securityContext: { sysctls: [{ name: "net.ipv4.tcp_wmem" }] } });
    expect(verdict("baseline", memory, "v1.31")).toBe("forbidden sysctls (net.ipv4.tcp_wmem)");
    expect(verdict("baseline", memory, "v1.99")).toBe("");
    const annotated = pod({}, { annotations: { "container.seccomp.security.alpha.kubernetes.io/c": "unconfined" } });
    expect(verdict("baseline", annotated, "v1.18")).toBe(
      'seccompProfile (forbidden annotation container.seccomp.security.alpha.kubernetes.io/c="unconfined")',
    );
    expect(verdict("baseline", annotated)).toBe("");
    expect(verdict("baseline", pod({ hostUsers: false, ...securityContext({ procMount: "Unmasked" }) }))).toBe("");
  });
});

describe("the restricted level", () => {
  it("lets a pod pass that states all it has to", () => {
    expect(verdict("restricted", pod(SAFE))).toBe("");
  });

  it("says everything an ordinary pod lacks, the checks of the baseline first", () => {
    expect(verdict("restricted", pod({ hostPID: true }))).toBe(
      'host namespaces (hostPID=true), allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });

  it.each<[string, Fields, string]>([
    [
      "volumes",
      {
        volumes: [
          { name: "n", nfs: {} },
          { name: "h", hostPath: {} },
          { name: "e", emptyDir: {} },
        ],
      },
      `restricted volume types (volumes "n", "h" use restricted volume types "hostPath", "nfs")`,
    ],
    [
      "the root user",
      { securityContext: { ...(SAFE["securityContext"] as object), runAsUser: 0 } },
      "runAsUser=0 (pod must not set runAsUser=0)",
    ],
    [
      "to run as root",
      { securityContext: { seccompProfile: { type: "Localhost" }, runAsNonRoot: false } },
      "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
    ],
    [
      "capabilities",
      {
        containers: [
          {
            name: "c",
            securityContext: {
              allowPrivilegeEscalation: false,
              capabilities: { drop: ["ALL"], add: ["CHOWN", "NET_BIND_SERVICE"] },
            },
          },
        ],
      },
      `unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)`,
    ],
  ])("refuses %s", (_, spec, text) => {
    expect(verdict("restricted", pod({ ...SAFE, ...spec }))).toBe(text);
  });

  it("asks less of Windows and of pods in user namespaces", () => {
    const windows = { os: { name: "windows" }, securityContext: { runAsNonRoot: true } };
    expect(verdict("restricted", pod(windows))).toBe("");
    expect(verdict("restricted", pod(windows), "v1.24")).toMatch(/^allowPrivilegeEscalation != false/);
    expect(
      verdict(
        "restricted",
        pod({ ...SAFE, securityContext: { seccompProfile: { type: "Localhost" } }, hostUsers: false }),
      ),
    ).toBe("");
  });
});

describe("the modes", () => {
  it("warns where it does not enforce, and of templates by what is enforced", () => {
    const shared = view(label({ warn: "baseline", audit: "restricted" }));
    const first = admit(pod({ hostPID: true }), shared);
    expect(first).toEqual({
      refused: "",
      warnings: ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)'],
    });
    const deployment = object(
      "Deployment",
      { name: "d", namespace: "a" },
      { spec: { template: pod({ hostPID: true }) } },
    );
    const more = { group: "apps", resource: "deployments" };
    expect(admit(deployment, view(label({ enforce: "baseline", "enforce-version": "v1.30" })), more)).toEqual({
      refused: "",
      warnings: ['would violate PodSecurity "baseline:v1.30": host namespaces (hostPID=true)'],
    });
    const cron = object(
      "CronJob",
      { name: "d", namespace: "a" },
      { spec: { jobTemplate: { spec: { template: pod({ hostPID: true }) } } } },
    );
    expect(admit(cron, shared, { group: "batch", resource: "cronjobs" }).warnings).toHaveLength(1);
    expect(admit(deployment, shared, { ...more, subresource: "status" }).warnings).toEqual([]);
  });

  it("looks again at a pod only when images or containers change", () => {
    const strict = view(label({ enforce: "restricted" }));
    const old = pod({ containers: [{ name: "c", image: "a" }] });
    expect(
      admit(pod({ containers: [{ name: "c", image: "a" }] }, { labels: { x: "y" } }), strict, { oldObject: old })
        .refused,
    ).toBe("");
    expect(admit(pod({ containers: [{ name: "c", image: "b" }] }), strict, { oldObject: old }).refused).toMatch(
      /restricted:latest/,
    );
    const debug = pod({ ...(old["spec"] as Fields), ephemeralContainers: [{ name: "e" }] });
    expect(admit(debug, strict, { oldObject: old, subresource: "ephemeralcontainers" }).refused).toMatch(
      /containers "c", "e" must/,
    );
    expect(admit(debug, strict, { oldObject: old, subresource: "status" }).refused).toBe("");
  });
});

describe("labels of a namespace", () => {
  const namespace = (labels: Record<string, string>): KubeObject =>
    object("Namespace", { name: "a", labels: label(labels) });
  const change = (
    from: Record<string, string> | undefined,
    to: Record<string, string>,
    pods: readonly KubeObject[] = [],
  ) =>
    admit(namespace(to), view({}, pods), {
      resource: "namespaces",
      ...(from === undefined ? {} : { oldObject: namespace(from) }),
    });

  it("are refused where they say nothing that is known", () => {
    expect(change(undefined, { enforce: "nonsense" }).refused).toBe(
      'Namespace "a" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "nonsense": must be one of privileged, baseline, restricted',
    );
    expect(change({}, { "warn-version": "1.30" }).refused).toMatch(/Invalid value: "1.30": must be "latest" or "v1.x"/);
    expect(change({ enforce: "nonsense" }, { enforce: "nonsense" }).refused).toBe("");
  });

  it("warn of the pods that are there", () => {
    const owned = { ownerReferences: [{ controller: true, uid: "u", apiVersion: "v1", kind: "X", name: "x" }] };
    const pods = [
      pod({ hostPID: true }, { name: "z", ...owned }),
      pod({ hostPID: true }, { name: "b", ...owned }),
      pod({}, { name: "fine" }),
      pod({ hostIPC: true, ...securityContext({ privileged: true }) }, { name: "x" }),
    ];
    expect(change({}, { enforce: "baseline" }, pods).warnings).toEqual([
      'existing pods in namespace "a" violate the new PodSecurity enforce level "baseline:latest"',
      "b (and 1 other pod): host namespaces",
      "x: host namespaces, privileged",
    ]);
    expect(change({ enforce: "restricted" }, { enforce: "baseline" }, pods).warnings).toEqual([]);
    expect(change({ enforce: "baseline" }, { enforce: "baseline", warn: "restricted" }, pods).warnings).toEqual([]);
    expect(change(undefined, { enforce: "baseline" }, pods).warnings).toEqual([]);
  });

  it("warn by what is enforced unless they say otherwise, and fail strict", () => {
    const shown = (labels: Record<string, string>): string[] => {
      const { enforce, audit, warn } = policyOf(label(labels)).policy;
      return [enforce, audit, warn].map(showLevel);
    };
    expect(shown({ enforce: "baseline", "enforce-version": "v1.20" })).toEqual([
      "baseline:v1.20",
      "privileged:latest",
      "baseline:v1.20",
    ]);
    expect(shown({ enforce: "baseline", "enforce-version": "v1.20", "warn-version": "v1.7" })).toEqual([
      "baseline:v1.20",
      "privileged:latest",
      "baseline:v1.7",
    ]);
    expect(shown({ enforce: "restricted", warn: "privileged" })).toEqual([
      "restricted:latest",
      "privileged:latest",
      "privileged:latest",
    ]);
    expect(shown({ enforce: "x", audit: "y" })).toEqual([
      "restricted:latest",
      "privileged:latest",
      "privileged:latest",
    ]);
  });
});

describe("the audit log", () => {
  const noted = (labels: Record<string, string>, given: KubeObject): Record<string, string> => {
    const notes: Record<string, string> = {};
    admit(given, view(label(labels)), { annotate: (key, value) => void (notes[key] = value) });
    return notes;
  };

  it("has the enforced level, violations of the audited one, and labels that cannot be read", () => {
    expect(noted({ warn: "baseline" }, pod({}))).toEqual({
      "pod-security.kubernetes.io/enforce-policy": "privileged:latest",
    });
    expect(
      noted({ enforce: "baseline", "enforce-version": "v1.30", audit: "baseline" }, pod({ hostPID: true })),
    ).toEqual({
      "pod-security.kubernetes.io/enforce-policy": "baseline:v1.30",
      "pod-security.kubernetes.io/audit-violations":
        'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
    });
    expect(noted({ enforce: "much" }, pod({}))).toEqual({
      "pod-security.kubernetes.io/enforce-policy": "restricted:latest",
      "pod-security.kubernetes.io/error":
        'Failed to parse policy: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "much": must be one of privileged, baseline, restricted',
    });
  });
});
