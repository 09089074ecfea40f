import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { PODS } from "@travelops/kube/client/resources.ts";
import { createNodeAccess } from "./access/node-access.ts";
import { NODES } from "@travelops/kube/client/resources.ts";
import { startLab, NODE, type Lab } from "./testing/lab.ts";
import { chooseSandbox } from "./sandbox/probe.ts";

const { kind } = await chooseSandbox("auto");
const ready = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;
const FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.2 & wait $!; done";

describe("a kubelet, in the sandbox at hand", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab(kind, { unknownImages: "simulate" });
  });
  afterAll(async () => {
    await lab?.close();
  });
  const access = () =>
    createNodeAccess({ kubelets: [lab.kubelet], dial: () => Promise.reject(new Error("no dials here")) });

  test("the node stands, ready, with what upstream shows", async () => {
    const node = await lab.client.get(NODES, "", NODE);
    expect(node.metadata.labels).toMatchObject({ "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux" });
    expect(node.status?.conditions?.map((c) => `${c.type}=${c.status}/${c.reason}`)).toEqual([
      "MemoryPressure=False/KubeletHasSufficientMemory",
      "DiskPressure=False/KubeletHasNoDiskPressure",
      "PIDPressure=False/KubeletHasSufficientPID",
      "Ready=True/KubeletReady",
    ]);
    expect(node.status?.addresses).toContainEqual({ type: "InternalIP", address: "10.128.0.1" });
    const lease = await lab.client.get(
      { group: "coordination.k8s.io", version: "v1", resource: "leases", kind: "Lease", namespaced: true },
      "kube-node-lease",
      NODE,
    );
    expect(lease["spec"]).toMatchObject({ holderIdentity: NODE, leaseDurationSeconds: 40 });
  });

  test("an unknown image is simulated, and everybody can see it", async () => {
    await lab.run("ghost", {
      initContainers: [{ name: "init", image: "quay.io/x/init" }],
      containers: [{ name: "main", image: "quay.io/x/ghost:v1", readinessProbe: { httpGet: { port: 80 } } }],
    });
    await lab.until("ghost", ready);
    const pod = await lab.until(
      "ghost",
      (p) => p.metadata.annotations?.["travelops.io/simulated-containers"] === "init,main",
    );
    expect(pod.status?.phase).toBe("Running");
    expect((await lab.events("ghost")).some((text) => text.startsWith("Simulated: Container main"))).toBe(true);
    const streams = { stdout: () => {}, stderr: () => {} };
    await expect(
      access().exec(
        { namespace: "default", pod: "ghost", container: "", command: ["true"], tty: false, stdin: false },
        streams,
        new AbortController().signal,
      ),
    ).rejects.toThrow(/simulated/);
    await lab.run("ghost-job", { restartPolicy: "Never", containers: [{ name: "main", image: "quay.io/x/job" }] });
    await lab.until("ghost-job", (p) => p.status?.phase === "Succeeded");
    await lab.client.delete(PODS, "default", "ghost");
    await expect
      .poll(
        () =>
          lab.get("ghost").then(
            () => "there",
            () => "gone",
          ),
        { timeout: 5000 },
      )
      .toBe("gone");
  });

  test("attach sees what comes and passes input on", async () => {
    await lab.run("echo", {
      containers: [
        {
          name: "main",
          image: "busybox",
          stdin: true,
          command: ["sh", "-c", "while read line; do echo got $line; done"],
        },
      ],
    });
    await lab.until("echo", ready);
    let text = "";
    const stop = new AbortController();
    async function* input(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("one\n");
      // Open until the client goes.
      if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    }
    const attached = access().attach(
      { namespace: "default", pod: "echo", container: "main", tty: false, stdin: true },
      { stdin: input(), stdout: (chunk) => void (text += Buffer.from(chunk).toString()), stderr: () => {} },
      stop.signal,
    );
    await expect.poll(() => text, { timeout: 5000 }).toBe("got one\n");
    stop.abort();
    await attached;
    await lab.remove("echo");
  });

  test("following a log ends with its container, after the last line", async () => {
    await lab.run("talks", {
      restartPolicy: "Never",
      containers: [
        {
          name: "main",
          image: "busybox",
          command: ["sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; printf last"],
        },
      ],
    });
    await lab.until(
      "talks",
      (p) =>
        p.status?.containerStatuses?.[0]?.state?.waiting === undefined && p.status?.containerStatuses !== undefined,
    );
    let text = "";
    const request = {
      namespace: "default",
      pod: "talks",
      container: "main",
      follow: true,
      previous: false,
      timestamps: false,
    };
    for await (const chunk of await access().logs(request, new AbortController().signal))
      text += Buffer.from(chunk).toString();
    expect(text).toBe("1\n2\n3\n4\n5\nlast");
  });

  test("an ephemeral container joins", async () => {
    await lab.run("debugged", { containers: [{ name: "main", image: "busybox", command: ["sh", "-c", FOREVER] }] });
    await lab.until("debugged", ready);
    const patch = {
      spec: { ephemeralContainers: [{ name: "debugger", image: "busybox", command: ["sh", "-c", "exit 5"] }] },
    };
    await lab.client.patch(PODS, "default", "debugged", "application/strategic-merge-patch+json", patch, {
      subresource: "ephemeralcontainers",
    });
    const pod = await lab.until(
      "debugged",
      (p) => p.status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined,
    );
    expect(pod.status?.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(5);
    expect(pod.status?.phase).toBe("Running");
    await lab.remove("debugged");
  });

  test("a pod that ignores SIGTERM ends after its grace; one removed by force at once", async () => {
    const deaf = {
      containers: [
        { name: "main", image: "busybox", command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"] },
      ],
    };
    await lab.run("deaf", { terminationGracePeriodSeconds: 1, ...deaf });
    await lab.until("deaf", ready);
    await lab.client.delete(PODS, "default", "deaf");
    await expect
      .poll(
        () =>
          lab.get("deaf").then(
            () => "there",
            () => "gone",
          ),
        { timeout: 8000 },
      )
      .toBe("gone");
    await lab.run("forced", { terminationGracePeriodSeconds: 60, ...deaf });
    await lab.until("forced", ready);
    await lab.remove("forced");
    await expect.poll(() => lab.kubelet.pod("default", "forced"), { timeout: 8000 }).toBeUndefined();
  });

  test("a pod made anew under the same name is another pod", async () => {
    const spec = {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", image: "busybox", command: ["sh", "-c", FOREVER] }],
    };
    await lab.run("again", spec);
    const before = await lab.until("again", ready);
    await lab.remove("again");
    await expect
      .poll(
        () =>
          lab.run("again", spec).then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true);
    const after = await lab.until("again", ready);
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    await lab.remove("again");
  });
});
