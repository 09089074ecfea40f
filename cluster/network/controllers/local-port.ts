/** Which port of 127.0.0.1 a host name gets: the one it had, else one that its name decides. Pure. */

const FIRST = 20_000;
const COUNT = 10_000;
const PROBES = 32;

/** Ports to try in order. `recorded` come from annotations. */
export function portCandidates(cluster: string, name: string, recorded: readonly number[] = []): number[] {
  const start = hash(`${cluster}/${name}`) % COUNT;
  const derived = Array.from({ length: PROBES }, (_, i) => FIRST + ((start + i * 7) % COUNT));
  return [...new Set([...recorded.filter((p) => p >= 1024 && p <= 65_535), ...derived])];
}

/** FNV-1a, so that a name keeps its port on every machine. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

/** Ports named in a `travelops.io/local-url` annotation, in order. */
export function recordedPorts(annotation: string | undefined): number[] {
  return (annotation ?? "").split(",").flatMap((url) => {
    const port = /:(\d+)(?:\/.*)?$/.exec(url.trim())?.[1];
    return port === undefined ? [] : [Number(port)];
  });
}
