export type * from "./autoscaling.ts";
export type * from "./cluster.ts";
export type * from "./common.ts";
export type * from "./network.ts";
export type * from "./pod.ts";
export type * from "./volume.ts";
export type * from "./workload.ts";
