/** The classes that the ground serves: one IngressClass, and the GatewayClasses `travelops` and, until a mesh comes, `istio`. */
import { INGRESS_CLASSES, isAlreadyExists, type KubeClient, type KubeObject, type Resource } from "@travelops/kube";
import { GATEWAY_CONTROLLER, ISTIO_CONTROLLER, SERVED_BY_ANNOTATION } from "./controllers/gateway-listeners.ts";
import { INGRESS_CONTROLLER } from "./controllers/ingress.ts";
import { GATEWAY_CLASSES } from "./controllers/types.ts";

const gatewayClass = (name: string, controllerName: string, annotations: Record<string, string> = {}): KubeObject => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "GatewayClass",
  metadata: { name, annotations },
  spec: { controllerName },
});

/** Creates them where they are missing. */
export async function createOwnClasses(client: KubeClient, signal: AbortSignal): Promise<void> {
  const objects: [Resource, KubeObject][] = [
    [
      INGRESS_CLASSES,
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "IngressClass",
        metadata: {
          name: "travelops",
          annotations: { "ingressclass.kubernetes.io/is-default-class": "true" },
        },
        spec: { controller: INGRESS_CONTROLLER },
      },
    ],
    [GATEWAY_CLASSES, gatewayClass("travelops", GATEWAY_CONTROLLER)],
    [GATEWAY_CLASSES, gatewayClass("istio", ISTIO_CONTROLLER, { [SERVED_BY_ANNOTATION]: "network" })],
  ];
  await Promise.all(
    objects.map(([resource, object]) =>
      client.create(resource, object, { signal }).catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
      }),
    ),
  );
}
