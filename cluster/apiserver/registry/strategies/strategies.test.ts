import { generateKeyPairSync } from "node:crypto";
import type { KubeObject } from "@travelops/kube";
import { describe, expect, it } from "vitest";
import { addressWarnings, rangeWarnings } from "../warnings/address-warnings.ts";
import { keyPairFault } from "../warnings/key-pair-warnings.ts";
import { endpointSlices } from "./networking.ts";
import { withAddresses, withFamilies } from "./service-families.ts";
import { persistentVolumeClaims } from "./storage.ts";
import { volumeWarnings } from "../warnings/storage-warnings.ts";

const context = { user: { name: "u", groups: [] }, now: "2026-01-01T00:00:00Z", dryRun: false, warn: () => {} };

describe("addresses that are taken as they are", () => {
  it.each([
    ["10.0.0.1", []],
    [
      "010.0.0.1",
      [
        'p: non-standard IP address "010.0.0.1" will be considered invalid in a future Kubernetes release: use "10.0.0.1"',
      ],
    ],
    [
      "::ffff:1.2.3.4",
      [
        'p: non-standard IP address "::ffff:1.2.3.4" will be considered invalid in a future Kubernetes release: use "1.2.3.4"',
      ],
    ],
    ["2001:DB8::1", ['p: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")']],
  ])("says of %s what upstream says", (address, said) => {
    expect(addressWarnings(address, "p")).toEqual(said);
  });

  it.each([
    ["10.0.0.0/8", []],
    [
      "10.0.0.1/8",
      ['p: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)'],
    ],
    ["2001:DB8::/64", ['p: IPv6 CIDR value "2001:DB8::/64" should be in RFC 5952 canonical format ("2001:db8::/64")']],
  ])("says of %s what upstream says", (range, said) => {
    expect(rangeWarnings(range, "p")).toEqual(said);
  });
});

describe("key pairs", () => {
  it("are told apart as Go's TLS does", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(keyPairFault("a", "b")).toBe("tls: failed to find any PEM data in certificate input");
    expect(keyPairFault(key, key)).toBe(
      "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched",
    );
  });
});

describe("claims", () => {
  const claim = (spec: object): KubeObject => ({ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: {}, spec });
  const made = (spec: object): unknown => persistentVolumeClaims.prepareForCreate?.(claim(spec), context)["spec"];
  const source = { kind: "PersistentVolumeClaim", name: "x" };

  it("name what they start from in both fields, and drop what the older one never knew", () => {
    expect(made({ dataSource: source })).toEqual({ dataSource: source, dataSourceRef: source });
    expect(made({ dataSourceRef: source })).toEqual({ dataSource: source, dataSourceRef: source });
    expect(made({ dataSource: { kind: "Other", name: "x" } })).toEqual({});
    expect(made({ dataSourceRef: { ...source, namespace: "other" } })).toEqual({});
  });
});

describe("families of a Service", () => {
  const filled = (spec: object): unknown => {
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec } as KubeObject;
    try {
      return withFamilies(withAddresses(service, undefined), undefined)["spec"];
    } catch (error) {
      return (error as Error).message;
    }
  };

  it("are filled in from addresses, selector and what the cluster has", () => {
    expect(filled({ clusterIP: "10.64.0.9" })).toMatchObject({
      clusterIPs: ["10.64.0.9"],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
    });
    expect(filled({ clusterIP: "None" })).toMatchObject({
      ipFamilies: ["IPv4", "IPv6"],
      ipFamilyPolicy: "RequireDualStack",
    });
    expect(filled({ clusterIP: "None", selector: { a: "b" } })).toMatchObject({ ipFamilies: ["IPv4"] });
  });

  it.each([
    [{ ipFamilyPolicy: "RequireDualStack" }, "this cluster is not configured for dual-stack services"],
    [{ ipFamilies: ["IPv6"] }, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
    [{ clusterIP: "::1" }, "IPv6 is not configured on this cluster"],
    [{ clusterIPs: ["10.64.0.9"] }, "must be empty when `clusterIP` is not specified"],
  ])("are refused where the cluster has no answer to %j", (spec, why) => {
    expect(filled(spec)).toContain(why);
  });
});

describe("endpoint slices", () => {
  it("lose the older field for places, but for the nodes it named", () => {
    const slice = (endpoint: object): KubeObject => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {},
      endpoints: [endpoint],
    });
    const held = slice({ addresses: ["10.0.0.1"], deprecatedTopology: { "kubernetes.io/hostname": "n" } });
    const next = slice({ addresses: ["10.0.0.2"], deprecatedTopology: { "kubernetes.io/hostname": "n" } });
    expect(endpointSlices.prepareForCreate?.(held, context)["endpoints"]).toEqual([{ addresses: ["10.0.0.1"] }]);
    expect(endpointSlices.prepareForUpdate?.(next, held, context)["endpoints"]).toEqual([
      { addresses: ["10.0.0.2"], nodeName: "n" },
    ]);
  });
});

it("volumes warn of what is gone or renamed", () => {
  const volume: KubeObject = {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: {},
    spec: {
      persistentVolumeReclaimPolicy: "Recycle",
      rbd: {},
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "beta.kubernetes.io/os" }] }] } },
    },
  };
  expect(volumeWarnings(volume)).toEqual([
    "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
    'spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/os is deprecated since v1.14; use "kubernetes.io/os" instead',
    "spec.rbd: deprecated in v1.28, non-functional in v1.31+",
  ]);
});
