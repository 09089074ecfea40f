/** What a cluster process tells whoever started it, over IPC. */

export interface ClusterReady {
  type: "ready";
  name: string;
  /** `https://127.0.0.1:PORT` */
  apiServer: string;
  kubeconfig: string;
  sandbox: "namespaces" | "bare";
  /** Why the stronger sandbox is not in use; "" where it is. */
  sandboxNote: string;
  /** Milliseconds from process start to the API's readiness. */
  startMs: number;
}

export interface ClusterFailed {
  type: "failed";
  message: string;
}

export type ClusterMessage = ClusterReady | ClusterFailed;
