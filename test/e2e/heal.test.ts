/** What is changed past Git is taken back, with real kubectl; what Git does not speak of is left alone. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { isNotFound } from "@travelops/kube";
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SERVICES } from "@travelops/kube/client/resources";
import { patternIn } from "./pattern-under-test.ts";
import { until } from "./until.ts";

const { dataDir } = inject("travelops");
const pattern = patternIn(dataDir);
beforeAll(() => pattern.settled());
afterAll(() => pattern.close());

const AGENCY = "-n=travel-agency";

test("kubectl scale", async () => {
  await pattern.kubectl(AGENCY, "scale", "deployment/flights-v1", "--replicas=3");
  await until("one replica again", async () => {
    const { spec, status } = await pattern.client.get(DEPLOYMENTS, "travel-agency", "flights-v1");
    return spec.replicas === 1 && status?.replicas === 1 && status.readyReplicas === 1;
  });
  await pattern.settled();
});

test("kubectl edit", async () => {
  const before = await pattern.client.get(SERVICES, "travel-agency", "cars");
  const editor = "sed -i /targetPort/s/8000/8001/";
  const said = await pattern.withEnvironment({ KUBE_EDITOR: editor }).kubectl(AGENCY, "edit", "service/cars");
  expect(said).toBe("service/cars edited\n");
  await until("the port is Git's again", async () => {
    const service = await pattern.client.get(SERVICES, "travel-agency", "cars");
    return (
      service.metadata.resourceVersion !== before.metadata.resourceVersion &&
      service.spec.ports?.[0]?.targetPort === 8000
    );
  });
  await pattern.settled();
});

test("kubectl set env, which would roll out", async () => {
  await pattern.kubectl(AGENCY, "set", "env", "deployment/hotels-v1", "CHAOS_MONKEY=true", "CURRENT_VERSION=v9");
  await until("the version is Git's again", async () => {
    const { spec } = await pattern.client.get(DEPLOYMENTS, "travel-agency", "hotels-v1");
    const env = spec.template.spec.containers[0]?.env ?? [];
    return env.some((each) => each.name === "CURRENT_VERSION" && each.value === "v1");
  });
  await pattern.settled();
});

test("kubectl delete", async () => {
  const before = await pattern.client.get(DEPLOYMENTS, "travel-agency", "cars-v1");
  await pattern.kubectl(AGENCY, "delete", "deployment/cars-v1", "service/cars");
  await until("both are back, and a pod is ready", async () => {
    const service = await pattern.client.get(SERVICES, "travel-agency", "cars");
    const after = await pattern.client.get(DEPLOYMENTS, "travel-agency", "cars-v1");
    return (
      service.metadata.name === "cars" &&
      after.metadata.uid !== before.metadata.uid &&
      after.status?.readyReplicas === 1
    );
  });
  await pattern.settled();
});

test("kubectl delete of a pod is its Deployment's affair", async () => {
  const [pod] = (await pattern.client.list(PODS, { namespace: "travel-agency", labelSelector: "app=travels" })).items;
  await pattern.kubectl(AGENCY, "delete", "pod", pod?.metadata.name ?? "");
  await until("another pod is ready", async () => {
    const { items } = await pattern.client.list(PODS, { namespace: "travel-agency", labelSelector: "app=travels" });
    return (
      items.length === 1 &&
      items[0]?.metadata.uid !== pod?.metadata.uid &&
      items[0]?.status?.containerStatuses?.[0]?.ready === true
    );
  });
});

test("kubectl delete namespace: made again, and all that was in it", async () => {
  const before = await pattern.client.get(NAMESPACES, "", "travel-control");
  await pattern.kubectl("delete", "namespace", "travel-control");
  await until("control runs in a new namespace", async () => {
    const after = await pattern.client.get(NAMESPACES, "", "travel-control");
    const { status } = await pattern.client.get(DEPLOYMENTS, "travel-control", "control-v1");
    return after.metadata.uid !== before.metadata.uid && status?.readyReplicas === 1;
  });
  await pattern.settled();
});

test("kubectl delete of an Application: the root makes it again", async () => {
  await pattern.kubectl("-n=openshift-gitops", "delete", "application", "travel-portal");
  const report = await until("four Applications again", async () => {
    const seen = await pattern.settled();
    return seen.applications.length === 4 && seen;
  });
  expect(report.applications.map((each) => each.name)).toContain("travel-portal");
  const { status } = await pattern.client.get(DEPLOYMENTS, "travel-portal", "voyages-v1");
  expect(status?.readyReplicas).toBe(1);
});

test("what is nobody's in Git stays", async () => {
  await pattern.kubectl(AGENCY, "create", "configmap", "mine", "--from-literal=a=b");
  await pattern.kubectl(AGENCY, "annotate", "deployment/cars-v1", "example.com/mine=yes");
  // A change that is healed comes after the two: had they been drift, they would be gone by then.
  await pattern.kubectl(AGENCY, "scale", "deployment/cars-v1", "--replicas=2");
  await until("the scale is healed", async () => {
    const { spec } = await pattern.client.get(DEPLOYMENTS, "travel-agency", "cars-v1");
    return spec.replicas === 1;
  });
  const { metadata } = await pattern.client.get(DEPLOYMENTS, "travel-agency", "cars-v1");
  expect(metadata.annotations?.["example.com/mine"]).toBe("yes");
  expect((await pattern.client.get(CONFIG_MAPS, "travel-agency", "mine"))["data"]).toEqual({ a: "b" });
  await pattern.client.delete(CONFIG_MAPS, "travel-agency", "mine");
  await expect(pattern.client.get(CONFIG_MAPS, "travel-agency", "mine")).rejects.toSatisfy(isNotFound);
  await pattern.settled();
});
