import { randomUUID, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalJWKSet, jwtVerify, SignJWT } from "jose";
import type { JSONWebKeySet } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "@travelops/kube";
import { fakeClock } from "@travelops/kube/api/clock";
import type { FakeClock } from "@travelops/kube/api/clock";
import type { Store } from "../../store/store.ts";
import { ACTOR, keyOf, storeFixture } from "../../store/store-fixture.ts";
import type { StoreFixture } from "../../store/store-fixture.ts";
import type { AccessControl, RequestFacts } from "../access.ts";
import { createAccessControl, DEFAULT_ISSUER } from "../access-control.ts";
import type { UserInfo } from "../api-server.ts";
import { openPki } from "../pki/cluster-pki.ts";
import type { ClusterPki } from "../pki/cluster-pki.ts";

const DAY = 86_400_000;
let pkiDir: string;
let pki: ClusterPki;
let foreign: ClusterPki;
let fixture: StoreFixture;
let store: Store;
let clock: FakeClock;
let access: AccessControl;

beforeAll(async () => {
  pkiDir = mkdtempSync(join(tmpdir(), "travelops-auth-"));
  const options = { clock: fakeClock(), clusterName: "hub", serviceAddress: "10.64.0.1" };
  pki = await openPki({ ...options, dir: join(pkiDir, "own") });
  foreign = await openPki({ ...options, dir: join(pkiDir, "foreign") });
});
afterAll(() => rmSync(pkiDir, { recursive: true, force: true }));
beforeEach(async () => {
  fixture = storeFixture();
  clock = fakeClock();
  store = await fixture.open({ clock });
  access = createAccessControl({
    store,
    clock,
    random: () => 0.5,
    uuid: randomUUID,
    clientCa: pki.ca,
    tokenKey: pki.tokenKey,
    staticTokens: [{ token: "s3cret", user: { name: "robot", groups: ["robots"] } }],
  });
  await put("serviceaccounts.", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { namespace: "a", name: "ci", uid: "sa-1" },
  });
  await put("pods.", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "a", name: "p", uid: "pod-1" },
    spec: { serviceAccountName: "ci", nodeName: "one" },
  });
  await put("nodes.", { apiVersion: "v1", kind: "Node", metadata: { name: "one", uid: "node-1" } });
});
afterEach(async () => {
  access.close();
  await fixture.dispose();
});

const put = (table: string, object: KubeObject) =>
  store.write(keyOf(table, object.metadata.namespace ?? "", object.metadata.name ?? ""), ACTOR, () => ({
    op: "put",
    object,
  }));
const remove = (table: string, namespace: string, name: string) =>
  store.write(keyOf(table, namespace, name), ACTOR, () => ({ op: "delete" }));
const certificate = (pem: string): RequestFacts => ({
  headers: {},
  peerCertificate: new X509Certificate(pem),
});
const bearer = (token: string, more: RequestFacts["headers"] = {}): RequestFacts => ({
  headers: { authorization: `Bearer ${token}`, ...more },
});
const request = (spec: object, serviceAccount = "ci"): Promise<KubeObject> =>
  access.issueToken({
    namespace: "a",
    serviceAccount,
    object: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", metadata: {}, spec },
  });
const tokenOf = (answer: KubeObject): string => (answer["status"] as { token: string }).token;
const podRef = { kind: "Pod", apiVersion: "v1", name: "p" };
const claimsIn = (token: string) =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;

describe("client certificates", () => {
  it("name the user and its groups", async () => {
    const client = await pki.issueClient("system:node:one", ["system:nodes", "more"]);
    const user = await access.authenticate(certificate(client.cert));
    expect(user).toMatchObject({
      name: "system:node:one",
      groups: ["system:nodes", "more", "system:authenticated"],
    });
    expect(await access.authenticate(certificate(pki.admin.cert))).toMatchObject({
      name: "kubernetes-admin",
      groups: ["system:masters", "system:authenticated"],
    });
  });

  it("count only from the cluster's CA, for clients, while they last", async () => {
    const client = await foreign.issueClient("admin", ["system:masters"]);
    await expect(access.authenticate(certificate(client.cert))).rejects.toMatchObject({ code: 401 });
    await expect(access.authenticate(certificate(pki.serving.cert))).rejects.toMatchObject({ code: 401 });
    await expect(access.authenticate(certificate(pki.ca))).rejects.toMatchObject({ code: 401 });
    const admin = certificate(pki.admin.cert);
    await access.authenticate(admin);
    clock.advance(366 * DAY);
    await expect(access.authenticate(admin)).rejects.toMatchObject({ code: 401 });
  });

  it("that are foreign do not spoil a token", async () => {
    const facts = { ...bearer("s3cret"), peerCertificate: new X509Certificate(foreign.admin.cert) };
    expect(await access.authenticate(facts)).toMatchObject({ name: "robot" });
  });
});

describe("bearer tokens", () => {
  it("may be static, or come in a WebSocket's subprotocol", async () => {
    expect(await access.authenticate(bearer("s3cret"))).toMatchObject({
      name: "robot",
      groups: ["robots", "system:authenticated"],
    });
    const protocol = `v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.${Buffer.from("s3cret").toString("base64url")}`;
    expect(await access.authenticate({ headers: { "sec-websocket-protocol": protocol } })).toMatchObject({
      name: "robot",
    });
  });

  it("are needed, and must hold", async () => {
    expect(await access.authenticate({ headers: {} })).toBeUndefined();
    expect(await access.authenticate({ headers: { authorization: "Basic dTpw" } })).toBeUndefined();
    for (const token of ["wrong", "a.b.c", "s3cret2"])
      await expect(access.authenticate(bearer(token))).rejects.toMatchObject({
        code: 401,
        message: "Unauthorized",
      });
  });
});

describe("ServiceAccount tokens", () => {
  it("name the account, its groups, its pod and node", async () => {
    const user = await access.authenticate(bearer(tokenOf(await request({ boundObjectRef: podRef }))));
    expect(user).toMatchObject({
      name: "system:serviceaccount:a:ci",
      uid: "sa-1",
      groups: ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"],
      extra: {
        "authentication.kubernetes.io/pod-name": ["p"],
        "authentication.kubernetes.io/pod-uid": ["pod-1"],
        "authentication.kubernetes.io/node-name": ["one"],
        "authentication.kubernetes.io/node-uid": ["node-1"],
      },
    });
  });

  it("end with what they are bound to", async () => {
    const token = tokenOf(await request({ boundObjectRef: podRef }));
    await access.authenticate(bearer(token));
    await put("pods.", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "a", name: "p", uid: "pod-2" },
      spec: { serviceAccountName: "ci" },
    });
    await expect(access.authenticate(bearer(token))).rejects.toMatchObject({ code: 401 });
    const unbound = tokenOf(await request({}));
    await access.authenticate(bearer(unbound));
    await remove("serviceaccounts.", "a", "ci");
    await expect(access.authenticate(bearer(unbound))).rejects.toMatchObject({ code: 401 });
  });

  it("outlast a pod that ends by a minute", async () => {
    const token = tokenOf(await request({ boundObjectRef: podRef }));
    const deletionTimestamp = new Date(clock.now()).toISOString();
    await put("pods.", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "a", name: "p", uid: "pod-1", deletionTimestamp },
      spec: { serviceAccountName: "ci" },
    });
    clock.advance(59_000);
    await access.authenticate(bearer(token));
    clock.advance(2_000);
    await expect(access.authenticate(bearer(token))).rejects.toMatchObject({ code: 401 });
  });

  it("end in time; those of pods are stretched to a year", async () => {
    const short = tokenOf(await request({ expirationSeconds: 600 }));
    const stretched = await request({ expirationSeconds: 3_607, boundObjectRef: podRef });
    clock.advance(601_000);
    await expect(access.authenticate(bearer(short))).rejects.toMatchObject({ code: 401 });
    clock.advance(100 * DAY);
    await expect(access.authenticate(bearer(tokenOf(stretched)))).resolves.toBeDefined();
    const claims = claimsIn(tokenOf(stretched));
    expect((claims["kubernetes.io"] as { warnafter: number }).warnafter).toBe((claims["iat"] as number) + 3_607);
    expect((stretched["status"] as { expirationTimestamp: string }).expirationTimestamp).toBe("2026-01-01T01:00:07Z");
  });

  it("for another audience open nothing here", async () => {
    const token = tokenOf(await request({ audiences: ["vault"] }));
    await expect(access.authenticate(bearer(token))).rejects.toMatchObject({ code: 401 });
  });

  it("cannot be made by anyone else, nor altered", async () => {
    const token = tokenOf(await request({}));
    const [head = "", body = "", signature = ""] = token.split(".");
    const altered = Buffer.from(
      JSON.stringify({ ...claimsIn(token), sub: "system:serviceaccount:kube-system:root" }),
    ).toString("base64url");
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.`;
    const claims = { "kubernetes.io": { namespace: "a", serviceaccount: { name: "ci", uid: "sa-1" } } };
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid: pki.tokenKey.id })
      .setIssuer(DEFAULT_ISSUER)
      .setAudience(DEFAULT_ISSUER)
      .setSubject("system:serviceaccount:a:ci")
      .setExpirationTime(Math.floor(clock.now() / 1000) + 3_600)
      .sign(foreign.tokenKey.privateKey);
    for (const bad of [`${head}.${altered}.${signature}`, unsigned, forged])
      await expect(access.authenticate(bearer(bad))).rejects.toMatchObject({ code: 401 });
  });

  it("are verified by others with the published keys", async () => {
    const configuration = access.openidConfiguration() as { issuer: string; jwks_uri: string };
    expect(configuration.jwks_uri).toBe(`${configuration.issuer}/openid/v1/jwks`);
    const keys = createLocalJWKSet(access.jwks() as JSONWebKeySet);
    const token = tokenOf(await request({ audiences: ["vault"] }));
    const { payload } = await jwtVerify(token, keys, {
      issuer: configuration.issuer,
      audience: "vault",
      currentDate: new Date(clock.now()),
    });
    expect(payload.sub).toBe("system:serviceaccount:a:ci");
    expect(JSON.stringify(access.jwks())).not.toContain('"d":');
  });

  it("are refused in upstream's words", async () => {
    const says = (spec: object, account?: string): Promise<string> =>
      request(spec, account).then(
        () => "issued",
        (error: Error) => error.message,
      );
    expect(await says({}, "nope")).toBe('serviceaccounts "nope" not found');
    expect(await says({ expirationSeconds: 10 })).toBe(
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
    );
    expect(await says({ boundObjectRef: { kind: "Pod", name: "nope" } })).toBe('pods "nope" not found');
    expect(await says({ boundObjectRef: { kind: "ConfigMap", apiVersion: "v1", name: "c" } })).toBe(
      "cannot bind token to object of type /v1, Kind=ConfigMap",
    );
    expect(await says({ boundObjectRef: { ...podRef, uid: "x" } })).toContain(
      'Operation cannot be fulfilled on Pod "p": the UID in the bound object reference (x) does not match the UID in record.',
    );
    await put("serviceaccounts.", {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { namespace: "a", name: "other", uid: "sa-2" },
    });
    expect(await says({ boundObjectRef: podRef }, "other")).toBe(
      'cannot bind token for serviceaccount "other" to pod running with different serviceaccount name.',
    );
  });
});

describe("impersonation", () => {
  const as = (headers: RequestFacts["headers"]): Promise<UserInfo | undefined> =>
    access.authenticate({ ...certificate(pki.admin.cert), headers });

  it("acts as a user with groups, uid and extra", async () => {
    const headers = {
      "impersonate-user": "bob",
      "impersonate-group": ["a", "b"],
      "impersonate-uid": "1",
      "impersonate-extra-foo%2fbar": ["x", "y"],
    };
    expect(await as(headers)).toEqual({
      name: "bob",
      uid: "1",
      groups: ["a", "b", "system:authenticated"],
      extra: { "foo/bar": ["x", "y"] },
      impersonator: expect.objectContaining({ name: "kubernetes-admin" }) as unknown,
    });
    expect(await as({ "impersonate-user": "bob", "impersonate-group": "a, b" })).toMatchObject({
      groups: ["a", "b", "system:authenticated"],
    });
    expect(await as({ "impersonate-user": "system:serviceaccount:a:ci" })).toMatchObject({
      groups: ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"],
    });
    expect(await as({ "impersonate-user": "system:anonymous" })).toMatchObject({
      groups: ["system:unauthenticated"],
    });
  });

  it("needs a role for every part of it", async () => {
    const robot = (headers: RequestFacts["headers"]) => access.authenticate(bearer("s3cret", headers));
    await expect(robot({ "impersonate-user": "bob" })).rejects.toMatchObject({
      code: 403,
      message:
        'users "bob" is forbidden: User "robot" cannot impersonate resource "users" in API group "" at the cluster scope',
    });
    await put("clusterroles.rbac.authorization.k8s.io", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: "imp" },
      rules: [{ apiGroups: [""], resources: ["users"], verbs: ["impersonate"] }],
    });
    await put("clusterrolebindings.rbac.authorization.k8s.io", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "imp" },
      roleRef: { kind: "ClusterRole", name: "imp" },
      subjects: [{ kind: "User", name: "robot" }],
    });
    expect(await robot({ "impersonate-user": "bob" })).toMatchObject({ name: "bob" });
    await expect(robot({ "impersonate-user": "bob", "impersonate-group": "system:masters" })).rejects.toMatchObject({
      code: 403,
    });
    await expect(robot({ "impersonate-user": "system:serviceaccount:a:ci" })).rejects.toMatchObject({
      code: 403,
    });
    await expect(robot({ "impersonate-group": "x" })).rejects.toMatchObject({ code: 400 });
  });
});

describe("reviews", () => {
  const review = async (resource: string, spec: object): Promise<Record<string, unknown>> =>
    (
      await access.answerReview({
        group: "authentication.k8s.io",
        resource,
        namespace: "",
        user: { name: "bob", groups: ["g"] },
        object: { apiVersion: "authentication.k8s.io/v1", kind: "X", metadata: {}, spec },
      })
    )["status"] as Record<string, unknown>;

  it("tell whose a token is, and for which audience", async () => {
    const token = tokenOf(await request({ audiences: ["vault", "other"] }));
    expect(await review("tokenreviews", { token, audiences: ["vault"] })).toMatchObject({
      authenticated: true,
      user: { username: "system:serviceaccount:a:ci", uid: "sa-1" },
      audiences: ["vault"],
    });
    expect(await review("tokenreviews", { token })).toEqual({
      user: {},
      error: expect.stringContaining("invalid bearer token"),
    });
    expect(await review("tokenreviews", { token: "x" })).not.toHaveProperty("authenticated");
    await expect(review("tokenreviews", {})).rejects.toThrow("token is required for TokenReview in authentication");
  });

  it("tell who one is", async () => {
    expect(await review("selfsubjectreviews", {})).toEqual({ userInfo: { username: "bob", groups: ["g"] } });
    await expect(review("unknownreviews", {})).rejects.toThrow("unknownreviews.authentication.k8s.io is not supported");
  });
});
