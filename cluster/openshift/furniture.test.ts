import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock, type KubeObject } from "@travelops/kube";
import { startApiUnderTest, type ApiUnderTest } from "../../test/api-under-test.ts";
import { CLUSTER_VERSIONS, CONFIG_INGRESSES, furnish, INFRASTRUCTURES, installOpenShiftCrds } from "./furniture.ts";

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApiUnderTest();
}, 60_000);
afterAll(() => api?.close());

it("gives charts what they look up, and leaves what is there as it is", async () => {
  const options = {
    clusterName: "hub",
    appsDomain: "apps.hub.travelops.localhost",
    apiServerURL: "https://127.0.0.1:6443",
    clock: systemClock,
  };
  await installOpenShiftCrds(api.client, options);
  await furnish(api.client, options);
  const read = (): Promise<KubeObject[]> =>
    Promise.all([
      api.client.get(CONFIG_INGRESSES, "", "cluster"),
      api.client.get(INFRASTRUCTURES, "", "cluster"),
      api.client.get(CLUSTER_VERSIONS, "", "version"),
    ]);
  const [ingress, infrastructure, version] = await read();
  expect(ingress).toMatchObject({ spec: { domain: "apps.hub.travelops.localhost" } });
  expect(infrastructure).toMatchObject({
    status: { infrastructureName: "hub", platform: "None", apiServerURL: "https://127.0.0.1:6443" },
  });
  expect(version).toMatchObject({
    status: { desired: { version: "4.18.0" }, history: [{ state: "Completed" }] },
  });
  await api.client.patch(CONFIG_INGRESSES, "", "cluster", "application/merge-patch+json", {
    spec: { domain: "apps.mine" },
  });
  await installOpenShiftCrds(api.client, options);
  await furnish(api.client, options);
  expect((await api.client.get(CONFIG_INGRESSES, "", "cluster"))["spec"]).toMatchObject({
    domain: "apps.mine",
  });
});
