/** What is accepted of a Service, and without effect or soon gone. */
import type { KubeObject } from "@travelops/kube";
import { addressWarnings, rangeWarnings } from "./address-warnings.ts";
import { array, read, text } from "../printers/printer.ts";

const HINTS = "service.kubernetes.io/topology-aware-hints";

/** The texts of the warnings that a write of it answers with. */
export function serviceWarnings(service: KubeObject): string[] {
  const at = (field: string): string => text(read(service, "spec", field));
  const said: string[] = [];
  if (service.metadata.annotations?.[HINTS] !== undefined)
    said.push(`annotation ${HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead`);
  array(read(service, "spec", "clusterIPs")).forEach((ip, i) => {
    if (ip !== "None") said.push(...addressWarnings(text(ip), `spec.clusterIPs[${i}]`));
  });
  const external = array(read(service, "spec", "externalIPs")).length > 0;
  const type = at("type") === "" ? "ClusterIP" : at("type");
  if (type === "ClusterIP" && at("clusterIP") === "None") {
    if (at("loadBalancerIP") !== "") said.push("spec.loadBalancerIP is ignored for headless services");
    if (external) said.push("spec.externalIPs is ignored for headless services");
    if (!["", "None"].includes(at("sessionAffinity")))
      said.push("spec.SessionAffinity is ignored for headless services");
  }
  array(read(service, "spec", "externalIPs")).forEach((ip, i) =>
    said.push(...addressWarnings(text(ip), `spec.externalIPs[${i}]`)),
  );
  if (at("loadBalancerIP") !== "") said.push(...addressWarnings(at("loadBalancerIP"), "spec.loadBalancerIP"));
  array(read(service, "spec", "loadBalancerSourceRanges")).forEach((range, i) =>
    said.push(...rangeWarnings(text(range), `spec.loadBalancerSourceRanges[${i}]`)),
  );
  if (type === "ExternalName" && external) said.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (type !== "ExternalName" && at("externalName") !== "")
    said.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  if (at("trafficDistribution") === "PreferClose")
    said.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  return said;
}
