import type { KubeObject } from "@travelops/kube";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "./testing/start-test-server.ts";

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer();
});
afterAll(() => test.close());

const write = (method: "POST" | "PUT", path: string, body: unknown): Promise<{ readonly body: unknown }> =>
  test.client().transport.call({ method, path, body });

describe("what strategies fill in", () => {
  const owned = (object: unknown): string => JSON.stringify((object as KubeObject).metadata.managedFields);

  it("is nobody's, whether an object is made or changed", async () => {
    const spec = { ports: [{ port: 80 }], type: "LoadBalancer", externalTrafficPolicy: "Local" };
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "filled-in" }, spec };
    const path = "/api/v1/namespaces/default/services";
    const made = await write("POST", path, service);
    const changed = await write("PUT", `${path}/filled-in`, { ...service, spec: { ...spec, selector: { a: "b" } } });
    for (const { body } of [made, changed]) {
      expect((body as KubeObject)["spec"]).toMatchObject({ ipFamilies: ["IPv4"] });
      expect((body as { spec: { healthCheckNodePort: number } }).spec.healthCheckNodePort).toBeGreaterThan(29_999);
      expect(owned(body)).not.toMatch(/f:(?:clusterIP|ipFamilies|nodePort|healthCheckNodePort)/);
    }
  });

  it("is owned in the version that was written", async () => {
    const autoscaler = {
      apiVersion: "autoscaling/v1",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "one-target" },
      spec: {
        maxReplicas: 2,
        targetCPUUtilizationPercentage: 50,
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" },
      },
    };
    const { body } = await write(
      "POST",
      "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
      autoscaler,
    );
    expect(owned(body)).toContain('"autoscaling/v1"');
    expect(owned(body)).toContain("f:targetCPUUtilizationPercentage");
  });
});
