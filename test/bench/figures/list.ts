/** LIST of 5,000 pods, to the last byte; the answer is not parsed. */
import type { ApiFigure } from "../figure.ts";
import { connectH2, keepInFlight } from "../h2-client.ts";
import { spread } from "../statistics.ts";

const PODS = 5_000;

/** About as much as a small real pod says; a scheduler that nobody runs leaves it alone. */
const pod = (n: number): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `pod-${n}`,
      labels: { app: `app-${n % 50}`, version: "v1", "pod-template-hash": "6d4b75cb6d" },
      annotations: { "example.com/note": "x".repeat(100) },
    },
    spec: {
      schedulerName: "nobody",
      containers: [
        {
          name: "main",
          image: "registry.example.com/team/app:1.2.3",
          ports: [{ name: "http", containerPort: 8080 }],
          env: [
            { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "LEVEL", value: "info" },
          ],
          resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "128Mi" } },
          readinessProbe: { httpGet: { path: "/ready", port: "http" } },
        },
      ],
    },
  });

export const list: ApiFigure = {
  kind: "api",
  id: "list",
  async measure(subject, { quick, directory, say }) {
    const { address, close } = await subject.start(directory);
    const client = await connectH2(address);
    try {
      await keepInFlight(PODS, 64, (n) => client.request("POST", "/api/v1/namespaces/default/pods", pod(n)));
      const times: number[] = [];
      let bytes = 0;
      for (let run = 0; run < (quick ? 8 : 23); run++) {
        const begin = performance.now();
        const answer = await client.request("GET", "/api/v1/pods");
        if (run >= 3) times.push(performance.now() - begin);
        bytes = answer.body.length;
      }
      say(`${PODS} pods are ${(bytes / 1e6).toFixed(1)} MB`);
      return [
        {
          id: "list",
          what: "LIST of 5,000 pods over TLS",
          unit: "ms",
          budget: { limit: 150, better: "lower" },
          value: spread(times),
        },
      ];
    } finally {
      client.close();
      await close();
    }
  },
};
