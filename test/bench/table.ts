/** The figures as people read them: what, budget, measured, spread, and beside it the real API server. */
import { meets, type Measurement, type Unit } from "./figure.ts";
import type { Spread } from "./statistics.ts";

function amount(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return "not told";
  const digits = value >= 1000 || unit === "a second" ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: 0, maximumFractionDigits: digits });
}

const range = ({ min, max, runs }: Spread, unit: Unit): string =>
  runs < 2 ? "once" : `${amount(min, unit)}–${amount(max, unit)}, ${runs} runs`;

const within = (unit: Unit): string => (unit === "% of a core" || unit === "MB" ? ` ${unit}` : ` ${unit}`);

interface Row {
  readonly what: string;
  readonly budget: string;
  readonly measured: string;
  readonly spread: string;
  readonly verdict: string;
  readonly peer: string;
  readonly ratio: string;
}

function rowOf(own: Measurement, peer: Measurement | undefined): Row {
  const { unit, budget, value } = own;
  const met = meets(own);
  return {
    what: own.what,
    budget:
      budget === undefined
        ? ""
        : `${budget.better === "lower" ? "≤" : "≥"} ${amount(budget.limit, unit)}${within(unit)}`,
    measured: `${amount(value.median, unit)}${within(unit)}`,
    spread: range(value, unit),
    verdict: met === undefined ? "" : met ? "met" : "MISSED",
    peer: peer === undefined ? "" : `${amount(peer.value.median, unit)} (${range(peer.value, unit)})`,
    ratio: peer === undefined ? "" : `${amount(value.median / peer.value.median, "ms")} ×`,
  };
}

const HEADINGS: Row = {
  what: "what",
  budget: "budget",
  measured: "median",
  spread: "min–max",
  verdict: "",
  peer: "kube-apiserver + etcd",
  ratio: "ours / theirs",
};

/** Lines of equal columns; the peer's columns only where it was measured. */
export function renderTable(measurements: readonly Measurement[]): string {
  const own = measurements.filter(({ subject }) => subject === "travelops");
  const peers = new Map(measurements.filter(({ subject }) => subject !== "travelops").map((one) => [one.id, one]));
  const rows = [HEADINGS, ...own.map((one) => rowOf(one, peers.get(one.id)))];
  const columns = (Object.keys(HEADINGS) as (keyof Row)[]).filter(
    (column) => peers.size > 0 || (column !== "peer" && column !== "ratio"),
  );
  const widths = columns.map((column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      columns
        .map((column, at) => row[column].padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
