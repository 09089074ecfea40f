export { createCluster, type Cluster, type ClusterOptions } from "./cluster.ts";
