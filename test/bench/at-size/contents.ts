/** What fills a large cluster: ConfigMaps, Pods that no scheduler takes, paused Deployments, spread over namespaces. */
import { type H2Client, keepInFlight } from "../h2-client.ts";

export interface Size {
  readonly objects: number;
  readonly namespaces: number;
  readonly watchers: number;
}

export const FULL: Size = { objects: 100_000, namespaces: 300, watchers: 1_000 };
export const QUICK: Size = { objects: 15_000, namespaces: 50, watchers: 200 };

const IN_FLIGHT = 64;

export const namespaceName = (n: number): string => `size-${n}`;

/** Of ten objects six are ConfigMaps, three are Pods, one is a Deployment. In this order: when the Pods come, their namespaces' ServiceAccounts are there. */
const SHARES = [
  ["configmaps", 6],
  ["pods", 3],
  ["deployments", 1],
] as const;

export const podsIn = ({ objects }: Size): number => (objects / 10) * 3;

const labels = (n: number): Record<string, string> => ({
  app: `app-${n % 50}`,
  version: "v1",
  tier: n % 100 === 7 ? "rare" : "usual",
});

const configMap = (n: number): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: `object-${n}`, labels: labels(n) },
  data: { "settings.yaml": "level: info\n".repeat(60) },
});

const podSpec = {
  schedulerName: "nobody",
  containers: [
    {
      name: "main",
      image: "registry.example.com/team/app:1.2.3",
      ports: [{ name: "http", containerPort: 8080 }],
      env: [{ name: "LEVEL", value: "info" }],
      resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "128Mi" } },
      readinessProbe: { httpGet: { path: "/ready", port: "http" } },
    },
  ],
};

const podOf = (n: number): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: `object-${n}`, labels: labels(n), annotations: { "example.com/note": "x".repeat(100) } },
  spec: podSpec,
});

/** Paused, so that no controller makes anything of it: the peer has no controllers. */
const deployment = (n: number): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: `object-${n}`, labels: labels(n) },
  spec: {
    paused: true,
    replicas: 0,
    selector: { matchLabels: { object: `object-${n}` } },
    template: { metadata: { labels: { object: `object-${n}` } }, spec: podSpec },
  },
});

const MAKERS = {
  configmaps: { api: "/api/v1", object: configMap },
  pods: { api: "/api/v1", object: podOf },
  deployments: { api: "/apis/apps/v1", object: deployment },
} as const;

/** Creates everything through the API; resolves with the objects made in a second. */
export async function fill(client: H2Client, size: Size): Promise<number> {
  await keepInFlight(size.namespaces, IN_FLIGHT, (n) =>
    client.request(
      "POST",
      "/api/v1/namespaces",
      JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespaceName(n) } }),
    ),
  );
  const begin = performance.now();
  for (const [resource, tenths] of SHARES) {
    const { api, object } = MAKERS[resource];
    await keepInFlight((size.objects / 10) * tenths, IN_FLIGHT, (n) =>
      client.request(
        "POST",
        `${api}/namespaces/${namespaceName(n % size.namespaces)}/${resource}`,
        JSON.stringify(object(n)),
      ),
    );
  }
  return size.objects / ((performance.now() - begin) / 1000);
}
