/** What every namespace has: the ServiceAccount `default`, and the ConfigMap with the cluster's CA. */
import type { ConfigMap, Informer, KubeClient, KubeObject, Namespace, ServiceAccount } from "@travelops/kube";
import {
  CONFIG_MAPS,
  isAlreadyExists,
  jsonEqual,
  NAMESPACES,
  runController,
  SERVICE_ACCOUNTS,
  sourceOf,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { created } from "../shared/write.ts";

const ROOT_CA = "kube-root-ca.crt";
const DESCRIPTION =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

const isLive = (namespace: Namespace | undefined): boolean =>
  namespace !== undefined &&
  namespace.metadata.deletionTimestamp === undefined &&
  namespace.status?.phase !== "Terminating";

async function create<T extends KubeObject>(client: KubeClient, informer: Informer<T>, object: T): Promise<void> {
  try {
    await created(client, informer, object);
  } catch (error) {
    if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
  }
}

/** Keeps `default` in every namespace until the signal aborts. */
export async function serviceAccountController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const namespaces = informers.of(NAMESPACES);
  const accounts: Informer<ServiceAccount> = informers.of(SERVICE_ACCOUNTS);
  await runController({
    name: "serviceaccount",
    signal,
    clock,
    log,
    sources: [
      sourceOf(namespaces, (event) => [event.object.metadata.name ?? ""]),
      sourceOf(accounts, ({ type, object }) =>
        type === "deleted" && object.metadata.name === "default" ? [object.metadata.namespace ?? ""] : [],
      ),
    ],
    async reconcile(namespace) {
      if (!isLive(namespaces.get("", namespace)) || accounts.get(namespace, "default") !== undefined) return;
      const metadata = { name: "default", namespace };
      await create(client, accounts, { apiVersion: "v1", kind: "ServiceAccount", metadata });
    },
  });
}

/** Keeps the CA's ConfigMap in every namespace until the signal aborts; without a CA it does nothing. */
export async function rootCaController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log, rootCa } = context;
  if (rootCa === undefined) return;
  const namespaces = informers.of(NAMESPACES);
  const maps: Informer<ConfigMap> = informers.of(CONFIG_MAPS);
  const data = { "ca.crt": rootCa };
  await runController({
    name: "root-ca-certificate-publisher",
    signal,
    clock,
    log,
    sources: [
      sourceOf(namespaces, (event) => [event.object.metadata.name ?? ""]),
      sourceOf(maps, ({ object }) => (object.metadata.name === ROOT_CA ? [object.metadata.namespace ?? ""] : [])),
    ],
    async reconcile(namespace) {
      if (!isLive(namespaces.get("", namespace))) return;
      const known = maps.get(namespace, ROOT_CA);
      const annotations = { "kubernetes.io/description": DESCRIPTION };
      if (known === undefined) {
        const metadata = { name: ROOT_CA, namespace, annotations };
        await create(client, maps, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
      } else if (!jsonEqual(known.data, data) && known.metadata.deletionTimestamp === undefined) {
        maps.note(await client.update(CONFIG_MAPS, { ...known, data }));
      }
    },
  });
}
