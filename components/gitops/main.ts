/** Flags and start. See README.md for what it reads and writes. */
import { access, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { systemClock } from "@travelops/kube/api/clock";
import { createLogger } from "@travelops/kube/api/logger";
import { mountedAt } from "@travelops/kube/api/mounts";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { inClusterConfig, loadKubeconfig } from "@travelops/kube/client/kubeconfig";
import { startEngine } from "./engine.ts";
import { createWebhookServer } from "./webhook/webhook-server.ts";

const { values } = parseArgs({
  options: {
    kubeconfig: { type: "string" },
    namespace: { type: "string", default: process.env["POD_NAMESPACE"] ?? "openshift-gitops" },
    port: { type: "string", default: "8080" },
    cache: { type: "string", default: "/tmp/gitops" },
    "webhook-secret-file": { type: "string" },
    helm: { type: "string" },
    kubectl: { type: "string" },
  },
});

const log = createLogger({ name: "gitops", level: "info", write: (line) => void process.stdout.write(line) });
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());

/** The tools that the project's set-up unpacked, else those on PATH. */
async function tool(name: "helm" | "kubectl"): Promise<string> {
  const carried = fileURLToPath(new URL(`../../node_modules/.cache/travelops/tools/${name}`, import.meta.url));
  return (
    values[name] ??
    (await access(carried).then(
      () => carried,
      () => name,
    ))
  );
}

async function webhookSecret(): Promise<string | undefined> {
  const file = values["webhook-secret-file"];
  return file === undefined ? undefined : (await readFile(mountedAt(file), "utf8")).trim();
}

const config = values.kubeconfig === undefined ? inClusterConfig() : loadKubeconfig(values.kubeconfig);
const transport = httpsTransport({ ...config, userAgent: "travelops-gitops" });
const engine = await startEngine({
  client: createKubeClient(transport),
  namespace: values.namespace,
  cacheDir: mountedAt(values.cache),
  helm: await tool("helm"),
  kubectl: await tool("kubectl"),
  clock: systemClock,
  log,
  signal: stop.signal,
});
const server = createWebhookServer({
  secret: webhookSecret,
  onPush: (urls) => {
    log.info("push announced", { urls });
    engine.pushed(urls);
  },
  isReady: engine.isReady,
  metrics: engine.metrics,
});
server.listen(Number(values.port), () =>
  log.info("serving", { port: Number(values.port), namespace: values.namespace }),
);
await engine.done;
server.close();
server.closeAllConnections();
transport.close();
