/** How objects of a kind look in a table (`kubectl get`). */
import type { KubeObject } from "@travelops/kube";

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: string;
  readonly description: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority: number;
}

export type Cell = string | number | boolean | null;

export interface Printer {
  readonly columns: readonly Column[];
  cells(object: KubeObject, now: number): Cell[];
}

type Spec = readonly [name: string, type?: Column["type"], description?: string];

const NAME: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
};

const column = ([name, type = "string", description = ""]: Spec, priority: number): Column => ({
  name,
  type,
  format: "",
  description,
  priority,
});

/** A printer whose first column is the name: `narrow` columns always, `wide` ones with `-o wide`. */
export function printer(
  narrow: readonly Spec[],
  wide: readonly Spec[],
  cells: (object: KubeObject, now: number) => Cell[],
): Printer {
  return {
    columns: [NAME, ...narrow.map((spec) => column(spec, 0)), ...wide.map((spec) => column(spec, 1))],
    cells: (object, now) => [object.metadata.name ?? "", ...cells(object, now)],
  };
}

export const AGE: Spec = [
  "Age",
  "string",
  "CreationTimestamp is a timestamp representing the server time when this object was created.",
];

/** Age as upstream prints it: `5s`, `2m30s`, `47m`, `5h2m`, `3d4h`, `10d`, `2y3d`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return both(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return both(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  if (hours < 192) return both(Math.floor(hours / 24), "d", hours % 24, "h");
  const days = Math.floor(hours / 24);
  if (hours < 365 * 24 * 2) return `${days}d`;
  if (hours < 365 * 24 * 8) return both(Math.floor(days / 365), "y", days % 365, "d");
  return `${Math.floor(days / 365)}y`;
}

const both = (a: number, aUnit: string, b: number, bUnit: string): string =>
  b === 0 ? `${a}${aUnit}` : `${a}${aUnit}${b}${bUnit}`;

/** How long ago a time was, or `<unknown>`. */
export function since(time: unknown, now: number): string {
  if (typeof time !== "string" || time === "") return "<unknown>";
  const at = Date.parse(time);
  return Number.isNaN(at) ? "<unknown>" : humanDuration(now - at);
}

export const age = (object: KubeObject, now: number): string => since(object.metadata.creationTimestamp, now);

/** Reads a value by its path of keys; undefined where any is missing. */
export function read(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current: unknown = value;
  for (const key of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string | number, unknown>)[key];
  }
  return current;
}

export const text = (value: unknown, fallback = ""): string =>
  typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : fallback;

export const number = (value: unknown, fallback = 0): number => (typeof value === "number" ? value : fallback);

export const array = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

export const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

/** Labels as `a=b,c=d`, sorted; `<none>` for none. */
export function labelsText(labels: unknown): string {
  const entries = Object.entries(record(labels));
  if (entries.length === 0) return "<none>";
  return entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${text(value)}`)
    .join(",");
}

/** Names and images of a pod template's containers, each joined by commas. */
export function containersText(podSpec: unknown): [names: string, images: string] {
  const containers = array(read(podSpec, "containers"));
  return [
    containers.map((container) => text(read(container, "name"))).join(","),
    containers.map((container) => text(read(container, "image"))).join(","),
  ];
}

/** NAME and AGE, for every kind without columns of its own. */
export const defaultPrinter: Printer = printer([["Created At", "date", ""]], [], (object) => [
  object.metadata.creationTimestamp ?? null,
]);
