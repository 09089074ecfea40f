/** The whole of `travelops status` as data. */
import { isNotFound, type KubeClient, type KubeObject } from "@travelops/kube";
import { PODS } from "@travelops/kube/client/resources";
import { connect } from "../connect.ts";
import { clusterRows, type ClusterRow } from "../clusters/cluster-rows.ts";
import type { DataDir } from "../data-dir.ts";
import { HUB, type ClusterRun, type RunState } from "../run-state.ts";
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
  clusters: ClusterRow[];
  applications: ApplicationRow[];
  pods: PodCount[];
  urls: UrlRow[];
}

type ClusterReport = Pick<StatusReport, "clusters" | "applications" | "pods" | "urls">;

export async function collectStatus(dir: DataDir, run: RunState): Promise<StatusReport> {
  const found = (name: string): ClusterRun | undefined => run.clusters.find((each) => each.name === name);
  const reports = await Promise.all(
    (await clusterRows(dir, run)).map((row) => collectCluster(row, found(row.name)?.ingress)),
  );
  return {
    sandbox: found(HUB)?.sandbox ?? "",
    clusters: reports.flatMap((each) => each.clusters),
    applications: reports.flatMap((each) => each.applications),
    pods: reports.flatMap((each) => each.pods),
    urls: reports.flatMap((each) => each.urls),
  };
}

async function collectCluster(row: ClusterRow, ingress: ClusterRun["ingress"] | undefined): Promise<ClusterReport> {
  if (row.state !== "running" || ingress === undefined)
    return { clusters: [row], applications: [], pods: [], urls: [] };
  const connection = connect(row.kubeconfig);
  try {
    const [applications, pods, urls] = await Promise.all([
      listApplications(connection.client),
      connection.client.list(PODS),
      collectUrls(connection.client, ingress),
    ]);
    return {
      clusters: [row],
      applications: applications.map((object) => applicationRow(row.name, object)),
      pods: [countPods(row.name, pods.items)],
      urls,
    };
  } catch (error) {
    const message = `its API does not answer: ${error instanceof Error ? error.message : String(error)}`;
    return { clusters: [{ ...row, state: "failed", message }], applications: [], pods: [], urls: [] };
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
