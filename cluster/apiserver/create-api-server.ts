/** Puts the API server together: registry, watch hub, handler chain, and its two front ends. */
import { randomUUID } from "node:crypto";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import type { ApiServer, NodeAccess, UserInfo } from "./api-server.ts";
import { WebhookIndex } from "./admission/webhooks/webhook-index.ts";
import { Aggregation } from "./aggregation/aggregation.ts";
import { bootstrap } from "./bootstrap.ts";
import { handlerChain, type Handler } from "./chain/handler-chain.ts";
import { customResources } from "./custom-resources/custom-resources.ts";
import { FlowControl } from "./flow-control/flow-control.ts";
import { dispatch } from "./handlers/dispatch.ts";
import { httpsFront } from "./http/https-front.ts";
import { inProcessTransport } from "./http/in-process-transport.ts";
import { builtinResources } from "./registry/builtin-resources.ts";
import { Registry } from "./registry/registry.ts";
import { serviceStrategy } from "./registry/strategies/services.ts";
import { metricsResources } from "./resource-metrics/metrics-resources.ts";
import { DEFAULT_LIMITS, type ApiServerOptions, type ServerCore, type Upgrade } from "./server-options.ts";
import { keepApiServices } from "./system/api-services.ts";
import { expireObjects } from "./system/expiry.ts";
import { Metrics } from "./system/metrics.ts";
import { validateBuiltin } from "./validation/validate-builtin.ts";
import { WatchHub } from "./watch/watch-hub.ts";
import { clusterWebhooks } from "./webhook-client/cluster-webhooks.ts";

/** Exec, attach and port-forward; loaded when somebody first asks for one. The socket waits, nothing of it is read. */
function streaming(core: ServerCore): Upgrade {
  return (info, user, req, socket, head) => {
    import("./streaming/upgrade.ts").then(
      ({ createUpgrade }) =>
        createUpgrade({ nodes: () => core.nodeAccess, log: core.log })(info, user, req, socket, head),
      (error: unknown) => {
        core.log.error("streaming could not be loaded", { err: error });
        socket.destroy();
      },
    );
  };
}

/** Makes the server and its furniture. Nothing listens before `listen`. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, log } = options;
  const metrics = new Metrics();
  const registry = new Registry();
  const closing = new AbortController();
  const services = serviceStrategy(store, options);
  registry.add(builtinResources({ "services.": services }));
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const uuid = options.uuid ?? randomUUID;
  const core: ServerCore = {
    store,
    access: options.access,
    clock: options.clock,
    random: options.random,
    uuid,
    log,
    registry,
    watches: new WatchHub(store, metrics),
    metrics,
    limits,
    audit: options.audit,
    flows: new FlowControl({
      store,
      clock: options.clock,
      log,
      uuid,
      seats: limits.readsInFlight + limits.writesInFlight,
    }),
    validate: options.validate ?? validateBuiltin,
    admissionWebhooks: new WebhookIndex(store),
    webhooks: clusterWebhooks({ store, nodeAccess: () => core.nodeAccess }),
    aggregation: new Aggregation(() => core),
    frontProxy: options.frontProxy?.client,
    nodeAccess: undefined,
    ready: false,
    closing: closing.signal,
  };
  registry.add(metricsResources(() => core.nodeAccess));
  const local: Handler = (call) => dispatch(core, call);
  const handler = handlerChain(core, (call) =>
    core.aggregation.active
      ? import("./aggregation/serve.ts").then(({ serveAggregated }) => serveAggregated(core, call, local))
      : local(call),
  );
  let requests = 0;
  const prefix = core.uuid().slice(0, 24);
  const nextId = (): string => prefix + (++requests).toString(16).padStart(12, "0");
  const front = httpsFront({
    tls: options.tls,
    handler,
    limits: core.limits,
    upgrade: options.upgrade ?? streaming(core),
    nextId,
    onCutOff: () => metrics.watchersCutOff++,
    log,
  });
  const stopCustomResources = customResources(core);
  const stopExpiry = expireObjects(core);
  const [stopApiServices] = await Promise.all([keepApiServices(core), bootstrap(core, options)]);
  core.aggregation.start();
  core.flows.start();
  core.ready = true;

  return {
    clientFor: (user: UserInfo) =>
      createKubeClient(inProcessTransport({ handler, user, nextId, closing: closing.signal })),
    setNodeAccess(access: NodeAccess) {
      core.nodeAccess = access;
    },
    listen: (host, port) => front.listen(host, port),
    serve: (server) => front.serve(server),
    async close() {
      closing.abort();
      stopExpiry();
      stopCustomResources();
      stopApiServices();
      core.aggregation.close();
      core.flows.close();
      core.watches.close();
      core.admissionWebhooks.close();
      core.webhooks.close();
      await front.close();
    },
  };
}
