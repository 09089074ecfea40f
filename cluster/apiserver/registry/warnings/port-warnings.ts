/** Ports of a pod's containers that are the same, or may be. */
import { type Fields, items, number, text } from "../../validation/fields.ts";

interface Port {
  readonly path: string;
  readonly container: number;
  readonly protocol: string;
  readonly host: number;
  readonly ip: string;
  readonly name: string;
}

function conflict(port: Port, other: Port): string | undefined {
  if (port.ip === other.ip && port.host === other.host) return "duplicate";
  if (port.host === 0 || other.host === 0) return "overlapping";
  return port.host === other.host && (port.ip === "") !== (other.ip === "") ? "dangerously ambiguous" : undefined;
}

const shown = (port: Port): string =>
  `{Name:${port.name} HostPort:${port.host} ContainerPort:${port.container} Protocol:${port.protocol} HostIP:${port.ip}}`;

/** Warns of them, by number and by name. */
export function portWarnings(
  containers: readonly (readonly [container: Fields, path: string])[],
  warn: (text: string) => void,
): void {
  const ports = containers.flatMap(([container, path]) =>
    items(container, "ports").map((port, i): Port => ({
      path: `${path}.ports[${i}]`,
      container: number(port, "containerPort") ?? 0,
      protocol: text(port, "protocol"),
      host: number(port, "hostPort") ?? 0,
      ip: text(port, "hostIP"),
      name: text(port, "name"),
    })),
  );
  ports.forEach((port, i) => {
    if (port.ip !== "" && port.host === 0) warn(`${port.path}: hostIP set without hostPort: ${shown(port)}`);
    for (const other of ports.slice(0, i)) {
      if (other.container !== port.container || other.protocol !== port.protocol) continue;
      const found = conflict(port, other);
      if (found !== undefined) warn(`${port.path}: ${found} port definition with ${other.path}`);
    }
  });
  const names = new Map<string, string>();
  for (const { name, path } of ports) {
    if (name === "") continue;
    const other = names.get(name);
    if (other === undefined) names.set(name, path);
    else
      warn(
        `${path}: duplicate port name ${JSON.stringify(name)} with ${other}, services and probes that select ports by name will use ${other}`,
      );
  }
}
