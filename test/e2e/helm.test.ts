/** A chart that is not ours, through its whole life with the real Helm. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { isNotFound } from "@travelops/kube";
import { DEPLOYMENTS, NAMESPACES, PODS } from "@travelops/kube/client/resources";
import { ROOT } from "./command.ts";
import { ask } from "./http.ts";
import { patternIn } from "./pattern-under-test.ts";
import { until } from "./until.ts";

const CHART = path.join(ROOT, "test", "fixtures", "charts", "greeter");
const SPACE = "-n=helm-e2e";

const { dataDir } = inject("travelops");
const pattern = patternIn(dataDir);
let base = "";

beforeAll(async () => {
  const { urls } = await pattern.settled();
  base = `:${new URL(urls.find((each) => each.name === "git")?.url ?? "").port}`;
});
afterAll(async () => {
  await pattern.kubectl("delete", "namespace", "helm-e2e", "--ignore-not-found");
  pattern.close();
});

/** Asks until the network's configuration has arrived: it follows the object, it is not part of the install. */
const greeting = (host: string, words: string): Promise<string> =>
  until(`${host} says ${words}`, async () => {
    const { status, body } = await ask(`http://${host}${base}/`);
    if (status !== 200 || !body.startsWith(words)) throw new Error(`${status} ${body}`);
    return body;
  });

const releases = async (): Promise<{ name: string; revision: string; status: string }[]> =>
  JSON.parse(await pattern.helm(SPACE, "list", "-o", "json")) as { name: string; revision: string; status: string }[];

const readyReplicas = async (): Promise<number | undefined> =>
  (await pattern.client.get(DEPLOYMENTS, "helm-e2e", "greeter")).status?.readyReplicas;

describe("helm", () => {
  test("install --wait ends when its pods are ready", async () => {
    const said = await pattern.helm(
      SPACE,
      "install",
      "greeter",
      CHART,
      "--create-namespace",
      "--wait",
      "--timeout=20s",
    );
    expect(said).toContain("STATUS: deployed");
    expect(said).toContain("greeter says hello.");
    expect(await readyReplicas()).toBe(1);
  });

  test("upgrade --wait with an Ingress and an HTTPRoute: both answer", async () => {
    await pattern.helm(
      SPACE,
      "upgrade",
      "greeter",
      CHART,
      "--wait",
      "--timeout=20s",
      "--set=replicaCount=2,greeting=howdy,ingress.enabled=true,httpRoute.enabled=true,tests.enabled=true",
    );
    expect(await readyReplicas()).toBe(2);
    expect(await greeting("greeter.apps.hub.travelops.localhost", "howdy")).toMatch(/^howdy from greeter-/);
    expect(await greeting("greeter-gw.apps.hub.travelops.localhost", "howdy")).toMatch(/^howdy from greeter-/);
    expect((await releases())[0]).toMatchObject({ name: "greeter", revision: "2", status: "deployed" });
  });

  test("both replicas answer, and the URLs are told by status and open", async () => {
    const seen = new Set<string>();
    await until("two pods have answered", async () => {
      seen.add((await ask(`http://greeter.apps.hub.travelops.localhost${base}/`)).body);
      return seen.size === 2;
    });
    const opened = await pattern.travelops("open", "helm-e2e/greeter");
    expect(opened.stdout).toMatch(/^http:\/\/greeter(-gw)?\.apps\.hub\.travelops\.localhost:\d+\n$/);
  });

  test("the chart's own test runs", async () => {
    const said = await pattern.helm(SPACE, "test", "greeter", "--logs", "--timeout=30s");
    expect(said).toMatch(/Phase: +Succeeded/);
    expect(said).toContain("howdy from greeter-");
  });

  test("an upgrade that cannot become ready fails, and leaves the old pods to serve", async () => {
    const failed = pattern.helm(
      SPACE,
      "upgrade",
      "greeter",
      CHART,
      "--reuse-values",
      "--wait",
      "--timeout=3s",
      "--set=image.repository=example.com/nobody/knows",
    );
    await expect(failed).rejects.toThrow(/deadline|not ready|timed out/i);
    expect((await releases())[0]?.status).toBe("failed");
    await greeting("greeter.apps.hub.travelops.localhost", "howdy");
    const pods = await pattern.client.list(PODS, { namespace: "helm-e2e" });
    expect(JSON.stringify(pods.items.map((pod) => pod.status))).toContain("ErrImagePull");
  });

  test("rollback --wait is the first revision again", async () => {
    await pattern.helm(SPACE, "rollback", "greeter", "1", "--wait", "--timeout=20s");
    expect(await readyReplicas()).toBe(1);
    const history = JSON.parse(await pattern.helm(SPACE, "history", "greeter", "-o", "json")) as { status: string }[];
    expect(history.map((each) => each.status)).toEqual(["superseded", "superseded", "failed", "deployed"]);
    await until(
      "the Ingress is gone",
      async () => (await ask(`http://greeter.apps.hub.travelops.localhost${base}/`)).status >= 400,
    );
  });

  test("uninstall --wait leaves nothing", async () => {
    await pattern.helm(SPACE, "uninstall", "greeter", "--wait", "--timeout=20s");
    const left = await pattern.kubectl(
      SPACE,
      "get",
      "all,ingress,httproute,gateway,serviceaccount,configmap",
      "-o=name",
      "-l=app.kubernetes.io/instance=greeter",
    );
    // The pod of `helm test` is no part of the release: Helm leaves it, everywhere.
    expect(left).toBe("pod/greeter-test\n");
    expect(await releases()).toEqual([]);
    await pattern.kubectl("delete", "namespace", "helm-e2e", "--timeout=30s");
    await expect(pattern.client.get(NAMESPACES, "", "helm-e2e")).rejects.toSatisfy(isNotFound);
  });
});
