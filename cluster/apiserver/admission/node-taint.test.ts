import { expect, it } from "vitest";
import { type Node, NODES } from "@travelops/kube";
import { startTestServer } from "../testing/start-test-server.ts";

const node = (name: string, more: object = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  ...more,
});

it("takes no pods on a new node before it has reported, and keeps the status it came with", async () => {
  const server = await startTestServer();
  try {
    const client = server.client();
    const status = { conditions: [{ type: "Ready", status: "True" }] };
    const made = await client.create(
      NODES,
      node("n", { status, spec: { taints: [{ key: "own", effect: "NoExecute" }] } }),
    );
    expect(made.spec?.taints).toEqual([
      { key: "own", effect: "NoExecute" },
      { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
    ]);
    expect(made.status?.conditions).toMatchObject(status.conditions);
    const cleared = await client.update(NODES, { ...made, spec: { ...made.spec, taints: [] } });
    expect(cleared.spec?.taints).toBeUndefined();
  } finally {
    await server.close();
  }
});
