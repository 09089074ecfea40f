/** The whole of `travelops status` as data. */
import { isNotFound, type KubeClient, type KubeObject } from "@travelops/kube";
import { PODS } from "@travelops/kube/client/resources";
import { connect } from "../connect.ts";
import type { ClusterRun, RunState } from "../run-state.ts";
import { APPLICATIONS, applicationRow, type ApplicationRow } from "./applications.ts";
import { collectUrls, type UrlRow } from "./urls.ts";

export interface PodCount {
  cluster: string;
  running: number;
  ready: number;
  total: number;
}

export interface StatusReport {
  sandbox: string;
  clusters: { name: string; state: string; apiServer: string; kubeconfig: string; message?: string }[];
  applications: ApplicationRow[];
  pods: PodCount[];
  urls: UrlRow[];
}

export async function collectStatus(run: RunState): Promise<StatusReport> {
  const report: StatusReport = {
    sandbox: run.clusters[0]?.sandbox ?? "",
    clusters: [],
    applications: [],
    pods: [],
    urls: [],
  };
  for (const cluster of run.clusters) await collectCluster(run, cluster, report);
  return report;
}

async function collectCluster(run: RunState, cluster: ClusterRun, report: StatusReport): Promise<void> {
  const row = {
    name: cluster.name,
    state: cluster.state as string,
    apiServer: cluster.apiServer,
    kubeconfig: cluster.kubeconfig,
  };
  if (cluster.state !== "running") {
    report.clusters.push(row);
    return;
  }
  const connection = connect(cluster.kubeconfig);
  try {
    const [applications, pods, urls] = await Promise.all([
      listApplications(connection.client),
      connection.client.list(PODS),
      collectUrls(connection.client, run.ingress),
    ]);
    report.clusters.push(row);
    report.applications.push(...applications.map((object) => applicationRow(cluster.name, object)));
    report.pods.push(countPods(cluster.name, pods.items));
    report.urls.push(...urls);
  } catch (error) {
    report.clusters.push({
      ...row,
      state: "unreachable",
      message: error instanceof Error ? error.message : String(error),
    });
  } finally {
    connection.close();
  }
}

export async function listApplications(client: KubeClient): Promise<KubeObject[]> {
  try {
    return (await client.list(APPLICATIONS)).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function countPods(cluster: string, pods: readonly KubeObject[]): PodCount {
  const status = pods.map(
    (pod) => (pod["status"] ?? {}) as { phase?: string; conditions?: { type: string; status: string }[] },
  );
  const counted = status.filter((each) => each.phase !== "Succeeded");
  return {
    cluster,
    total: counted.length,
    running: counted.filter((each) => each.phase === "Running").length,
    ready: counted.filter((each) => each.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true)
      .length,
  };
}
