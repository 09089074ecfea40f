/** Puts the parts together: informers, the target and live states, the controller, and what wakes it. */
import { type Clock } from "@travelops/kube/api/clock";
import type { Logger } from "@travelops/kube/api/logger";
import { discover } from "@travelops/kube/client/discovery";
import { SECRETS } from "@travelops/kube/client/resources";
import { runController } from "@travelops/kube/controller/controller";
import { eventRecorder } from "@travelops/kube/controller/events";
import { createInformer, keyOf as queueKey, type Informer } from "@travelops/kube/controller/informer";
import { WorkQueue } from "@travelops/kube/controller/work-queue";
import { formatApiVersion, parseApiVersion, type KubeClient, type KubeObject } from "@travelops/kube";
import { ApplicationController } from "./application/application-controller.ts";
import { ensureDefaultProject } from "./application/default-project.ts";
import { keyOf, keyText } from "./application/resource-key.ts";
import { TargetStates } from "./application/target-state.ts";
import { applicationInstance, ownerInstance } from "./application/tracking.ts";
import { APPLICATIONS, APP_PROJECTS, type Application } from "./application/types.ts";
import { installCrds } from "./cluster/install-crds.ts";
import { LiveCache } from "./cluster/live-cache.ts";
import { GitRepositories } from "./source/git-repository.ts";
import { credentialsFor, normalizeRepoUrl, SECRET_TYPE_LABEL } from "./source/repository-credentials.ts";
import { runTool } from "./source/run-tool.ts";

export interface EngineOptions {
  client: KubeClient;
  namespace: string;
  cacheDir: string;
  helm: string;
  kubectl: string;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}

export interface Engine {
  /** Someone pushed to a repository, known under any of these URLs. */
  pushed(urls: readonly string[]): void;
  isReady(): boolean;
  metrics(): string;
  /** Ends when the signal aborts. */
  done: Promise<void>;
}

const REVISION_TTL_MS = 170_000;

export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { client, clock, log, signal, namespace } = options;
  await installCrds(client, signal);
  await ensureDefaultProjectWhenServed(options);
  const discovery = discover(client.transport);
  const resourceFor = (object: KubeObject) =>
    discovery.resourceFor({ ...parseApiVersion(object.apiVersion), kind: object.kind });
  const applications = createInformer(client, APPLICATIONS, { log });
  const projects = createInformer(client, APP_PROJECTS, { namespace, log });
  const secrets = createInformer(client, SECRETS, { namespace, labelSelector: SECRET_TYPE_LABEL, log });
  const live = new LiveCache(client, log);
  const cluster = clusterFacts(client, discovery.all);
  const instanceOf = (application: Application) =>
    applicationInstance(
      { namespace: application.metadata.namespace ?? "", name: application.metadata.name ?? "" },
      namespace,
    );
  const targets = new TargetStates({
    git: new GitRepositories({ cache: options.cacheDir, run: runTool }),
    renderer: { helm: options.helm, kubectl: options.kubectl, run: runTool },
    credentials: (url) => credentialsFor(url, secrets.list()),
    resourceFor,
    cluster,
    instanceOf,
    now: () => clock.now(),
    revisionTtlMs: REVISION_TTL_MS,
  });
  const controller = new ApplicationController({
    client,
    applications,
    projects,
    targets,
    live,
    resourceFor,
    events: eventRecorder(client, "argocd-application-controller", clock),
    namespace,
    clock,
    log,
  });
  const queue = new WorkQueue({ clock });
  wake({ live, applications, queue, instanceOf });
  const informers = [applications, projects, secrets].map((informer) => (informer as Informer).run(signal));
  const work = runController({
    name: "application",
    workers: 4,
    queue,
    reconcile: (key, stop) => controller.reconcile(key, stop),
    sources: [
      { informer: applications as Informer, keys: (event) => [queueKey(event.object)] },
      { informer: projects as Informer, keys: () => applications.list().map(queueKey) },
      { informer: secrets as Informer, keys: () => applications.list().map(queueKey) },
    ],
    signal,
    clock,
    log,
  });
  return {
    pushed(urls) {
      const wanted = new Set(urls.map(normalizeRepoUrl));
      for (const url of urls) targets.forgetRepository(url);
      for (const application of applications.list())
        if (repositoriesOf(application).some((url) => wanted.has(url))) queue.add(queueKey(application));
    },
    isReady: () => applications.hasSynced && projects.hasSynced && secrets.hasSynced,
    metrics: () => renderMetrics(applications.list()),
    done: Promise.all([...informers, work]).then(() => undefined),
  };
}

const repositoriesOf = (application: Application): string[] =>
  [application.spec.source, ...(application.spec.sources ?? [])].flatMap((source) =>
    source === undefined ? [] : [normalizeRepoUrl(source.repoURL)],
  );

interface Wake {
  live: LiveCache;
  applications: Informer<Application>;
  queue: WorkQueue;
  instanceOf: (application: Application) => string;
}

/** A change of a live object wakes the Application that owns it, or that wants one of its name. */
function wake({ live, applications, queue, instanceOf }: Wake): void {
  const byInstance = "instance";
  const byResource = "resource";
  applications.addIndex(byInstance, (application) => [instanceOf(application)]);
  applications.addIndex(byResource, (application) =>
    (application.status?.resources ?? []).map((each) =>
      keyText({ group: each.group ?? "", kind: each.kind, namespace: each.namespace ?? "", name: each.name }),
    ),
  );
  live.onChange((object, old) => {
    const owners = [object, old].flatMap((each) => (each === undefined ? [] : [ownerInstance(each)]));
    const concerned = [
      ...owners.flatMap((owner) => (owner === undefined ? [] : applications.byIndex(byInstance, owner))),
      ...applications.byIndex(byResource, keyText(keyOf(object))),
    ];
    for (const application of concerned) queue.add(queueKey(application));
  });
}

/** The CRD may need a moment before its kind is served. */
async function ensureDefaultProjectWhenServed({ client, namespace, signal, clock }: EngineOptions): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ensureDefaultProject(client, namespace, signal);
    } catch (error) {
      if (attempt >= 20 || signal.aborted) throw error;
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 50 * (attempt + 1)));
    }
  }
}

/** What charts may ask of the cluster: its version and the APIs it serves. */
function clusterFacts(
  client: KubeClient,
  all: () => Promise<readonly { group: string; version: string; kind: string }[]>,
) {
  let version: string | undefined;
  return async (): Promise<{ kubeVersion: string; apiVersions: string[] }> => {
    if (version === undefined) {
      const { body } = await client.transport.call({ method: "GET", path: "/version" });
      version = (body as { gitVersion?: string }).gitVersion ?? "v1.35.0";
    }
    const served = await all();
    const names = served.flatMap((each) => {
      const groupVersion = formatApiVersion(each.group, each.version);
      return [groupVersion, `${groupVersion}/${each.kind}`];
    });
    return { kubeVersion: version, apiVersions: [...new Set(names)].toSorted() };
  };
}

function renderMetrics(applications: readonly (Application & { status?: Application["status"] })[]): string {
  const lines = ["# HELP argocd_app_info Information about application.", "# TYPE argocd_app_info gauge"];
  for (const { metadata, spec, status } of applications) {
    const labels = {
      namespace: metadata.namespace ?? "",
      name: metadata.name ?? "",
      project: spec.project,
      sync_status: status?.sync?.status ?? "Unknown",
      health_status: status?.health?.status ?? "Unknown",
    };
    const text = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/["\\\n]/g, "_")}"`);
    lines.push(`argocd_app_info{${text.join(",")}} 1`);
  }
  return `${lines.join("\n")}\n`;
}
