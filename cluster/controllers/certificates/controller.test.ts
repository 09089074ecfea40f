import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CERTIFICATE_SIGNING_REQUESTS, type KubeObject, type Resource } from "@travelops/kube";
import { systemClock, type Clock } from "@travelops/kube/api/clock";
import { certificateAuthenticator } from "../../apiserver/authentication/client-certificate.ts";
import { openPki, type ClusterPki } from "../../apiserver/pki/cluster-pki.ts";
import { startTestServer, type TestServer } from "../../apiserver/testing/start-test-server.ts";
import { startControllers } from "../start-controllers.ts";
import { removalTime } from "./clean-up.ts";
import type { SigningRequest } from "./signing-request.ts";

const REQUESTS = CERTIFICATE_SIGNING_REQUESTS as Resource<SigningRequest>;
const HOUR = 3_600_000;

let directory: string;
let pki: ClusterPki;
let server: TestServer;
let controllers: Promise<void>;
const stop = new AbortController();
const clock: Clock = systemClock;

/** Base64 of the PEM that openssl makes. */
function requestOf(subject: string, names?: string): string {
  const key = path.join(directory, "key.pem");
  const out = path.join(directory, "request.pem");
  const more = names === undefined ? [] : ["-addext", `subjectAltName=${names}`];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  execFileSync("openssl", ["req", "-new", ...kind, "-keyout", key, "-out", out, "-subj", subject, ...more], {
    stdio: "ignore",
  });
  return readFileSync(out).toString("base64");
}

const admin = { name: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };

async function ask(name: string, user: { name: string; groups: string[] }, spec: Record<string, unknown>) {
  await server.client(user).create(REQUESTS, {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name },
    spec,
  });
}

const approve = (name: string): Promise<KubeObject> =>
  server
    .client(admin)
    .patch(
      REQUESTS,
      "",
      name,
      "application/merge-patch+json",
      { status: { conditions: [{ type: "Approved", status: "True", reason: "Test", message: "m" }] } },
      { subresource: "approval" },
    );

async function settled(name: string): Promise<SigningRequest> {
  let seen: SigningRequest | undefined;
  await expect
    .poll(
      async () => {
        seen = await server.client(admin).get(REQUESTS, "", name);
        return seen.status?.certificate !== undefined || seen.status?.conditions?.some(({ type }) => type === "Failed");
      },
      { timeout: 5000 },
    )
    .toBe(true);
  return seen as SigningRequest;
}

const certificateIn = (request: SigningRequest): X509Certificate =>
  new X509Certificate(Buffer.from(request.status?.certificate ?? "", "base64"));

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "travelops-csr-"));
  pki = await openPki({ dir: path.join(directory, "pki"), clock, clusterName: "t", serviceAddress: "10.0.0.1" });
  server = await startTestServer();
  controllers = startControllers({
    client: server.server.clientFor({ name: "system:kube-controller-manager", groups: ["system:authenticated"] }),
    signal: stop.signal,
    only: ["certificatesigningrequest-controller"],
    signCertificate: pki.signRequest,
  });
});

afterAll(async () => {
  stop.abort();
  await controllers;
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

test("an approved request gets a certificate that authenticates, for as long as it asked for", async () => {
  await ask("jane", admin, {
    request: requestOf("/O=devs/O=ops/CN=jane"),
    signerName: "kubernetes.io/kube-apiserver-client",
    usages: ["client auth", "digital signature"],
    expirationSeconds: 3600,
  });
  await approve("jane");
  const certificate = certificateIn(await settled("jane"));
  expect(certificateAuthenticator(pki.ca, clock)(certificate)).toMatchObject({
    name: "jane",
    groups: ["devs", "ops", "system:authenticated"],
  });
  const left = certificate.validToDate.getTime() - clock.now();
  expect(left).toBeGreaterThan(3600_000 - 30_000);
  expect(left).toBeLessThanOrEqual(3600_000);
  // openssl reads it, too, and finds the authority's signature.
  const files = ["ca.pem", "leaf.pem"].map((name) => path.join(directory, name));
  const { writeFileSync } = await import("node:fs");
  writeFileSync(files[0] ?? "", pki.ca);
  writeFileSync(files[1] ?? "", certificate.toString());
  expect(execFileSync("openssl", ["verify", "-CAfile", ...files]).toString()).toContain("OK");
});

test("a server's certificate carries the names that were asked for", async () => {
  await ask("serving", admin, {
    request: requestOf("/O=system:nodes/CN=system:node:n1", "DNS:n1.example.com,IP:10.0.0.7"),
    signerName: "kubernetes.io/kubelet-serving",
    usages: ["digital signature", "server auth"],
  });
  await approve("serving");
  const certificate = certificateIn(await settled("serving"));
  expect(certificate.checkHost("n1.example.com")).toBe("n1.example.com");
  expect(certificate.checkIP("10.0.0.7")).toBe("10.0.0.7");
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
});

test("a request the signer does not take fails, with the reason", async () => {
  await ask("wrong", admin, {
    request: requestOf("/O=system:nodes/CN=n1"),
    signerName: "kubernetes.io/kube-apiserver-client-kubelet",
    usages: ["digital signature", "client auth"],
  });
  await approve("wrong");
  const { status } = await settled("wrong");
  expect(status?.certificate).toBeUndefined();
  expect(status?.conditions?.find(({ type }) => type === "Failed")).toMatchObject({
    status: "True",
    reason: "SignerValidationFailure",
    message: "subject common name does not begin with system:node:",
  });
});

test("a node's own renewal is approved by itself; a stranger's request waits, and so does one of another signer", async () => {
  const role = { group: "rbac.authorization.k8s.io", version: "v1", resource: "clusterrolebindings" };
  await server.client(admin).create(
    { ...role, kind: "ClusterRoleBinding", namespaced: false },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "renew" },
      roleRef: {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        name: "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
      },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "system:node:n1" }],
    },
  );
  const spec = {
    request: requestOf("/O=system:nodes/CN=system:node:n1"),
    signerName: "kubernetes.io/kube-apiserver-client-kubelet",
    usages: ["digital signature", "client auth"],
  };
  await ask("stranger", admin, {
    ...spec,
    request: requestOf("/O=system:nodes/CN=system:node:n2"),
    signerName: "example.com/own",
  });
  const node = { name: "system:node:n1", groups: ["system:nodes", "system:authenticated"] };
  await server.client(admin).create(
    { ...role, kind: "ClusterRoleBinding", namespaced: false },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "ask" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:node-bootstrapper" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "system:node:n1" }],
    },
  );
  await ask("renewal", node, spec);
  const { status } = await settled("renewal");
  expect(status?.conditions).toMatchObject([
    {
      type: "Approved",
      reason: "AutoApproved",
      message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
    },
  ]);
  expect((await server.client(admin).get(REQUESTS, "", "stranger")).status).toEqual({});
});

test("old requests are removed after upstream's periods", () => {
  const at = (hours: number): string => new Date(hours * HOUR).toISOString();
  const request = (status: SigningRequest["status"]): SigningRequest => ({
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name: "x", creationTimestamp: at(0) },
    status,
  });
  const condition = (type: string) => ({ type, status: "True", lastUpdateTime: at(10) });
  expect(removalTime(request({}))).toBe(24 * HOUR);
  expect(removalTime(request({ conditions: [condition("Denied")] }))).toBe(11 * HOUR);
  expect(removalTime(request({ conditions: [condition("Approved"), condition("Failed")] }))).toBe(11 * HOUR);
  expect(removalTime(request({ conditions: [condition("Approved")] }))).toBe(34 * HOUR);
  expect(removalTime(request({ conditions: [condition("Approved")], certificate: "bm9uZQ==" }))).toBe(11 * HOUR);
});
