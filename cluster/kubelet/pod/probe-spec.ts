/** Probes and hooks of a container as the sandbox takes them. */
import type { Container, HttpGetAction, Probe } from "@travelops/kube/api/types/index.ts";
import type { IntOrString } from "@travelops/kube/api/types/common.ts";
import type { ProbeAction, ProbeSpec } from "../sandbox/sandbox.ts";

/** A number, or the name of one of the container's ports. */
export function portNumber(port: IntOrString, container: Container): number | undefined {
  if (typeof port === "number") return port;
  const named = container.ports?.find((one) => one.name === port);
  if (named !== undefined) return named.containerPort;
  return /^\d+$/.test(port) ? Number(port) : undefined;
}

export function httpAction(get: HttpGetAction, container: Container, podIP: string): ProbeAction | undefined {
  const port = portNumber(get.port, container);
  if (port === undefined) return undefined;
  const path = get.path ?? "/";
  return {
    type: "http",
    host: get.host === undefined || get.host === "" ? podIP : get.host,
    port,
    path: path.startsWith("/") ? path : `/${path}`,
    scheme: get.scheme === "HTTPS" ? "HTTPS" : "HTTP",
    headers: get.httpHeaders ?? [],
  };
}

function action(probe: Probe, container: Container, podIP: string): ProbeAction | undefined {
  if (probe.exec !== undefined) return { type: "exec", command: probe.exec.command ?? [] };
  if (probe.httpGet !== undefined) return httpAction(probe.httpGet, container, podIP);
  if (probe.grpc !== undefined)
    return { type: "grpc", host: podIP, port: probe.grpc.port, service: probe.grpc.service ?? "" };
  if (probe.tcpSocket === undefined) return undefined;
  const port = portNumber(probe.tcpSocket.port, container);
  const host = probe.tcpSocket.host;
  return port === undefined ? undefined : { type: "tcp", host: host === undefined || host === "" ? podIP : host, port };
}

const seconds = (value: number | undefined, fallback: number): number =>
  (value === undefined || value <= 0 ? fallback : value) * 1000;

/** undefined: the probe names a port that the container does not have, or is of no kind. */
export function probeSpec(
  kind: ProbeSpec["kind"],
  probe: Probe,
  container: Container,
  podIP: string,
  startedAt: number,
): ProbeSpec | undefined {
  const what = action(probe, container, podIP);
  if (what === undefined) return undefined;
  return {
    kind,
    action: what,
    startedAt,
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: seconds(probe.periodSeconds, 10),
    timeoutMs: seconds(probe.timeoutSeconds, 1),
    successThreshold: probe.successThreshold ?? 1,
    failureThreshold: probe.failureThreshold ?? 3,
  };
}
