/** `npm run bench`: the design's budgets beside what this machine does. `--json` for programs, `--quick` for a look. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { fsyncMs } from "./disk.ts";
import type { BenchContext, Figure, Measurement } from "./figure.ts";
import { atSize } from "./figures/at-size.ts";
import { crds } from "./figures/crds.ts";
import { creates } from "./figures/creates.ts";
import { idle } from "./figures/idle.ts";
import { idlePods } from "./figures/idle-pods.ts";
import { list } from "./figures/list.ts";
import { manyClusters } from "./figures/many-clusters.ts";
import { podStart } from "./figures/pod-start.ts";
import { serviceCost } from "./figures/service.ts";
import { startUp } from "./figures/start-up.ts";
import { travelDemo } from "./figures/travel-demo.ts";
import { watchLatency } from "./figures/watch-latency.ts";
import { subjects } from "./subject.ts";
import { renderTable } from "./table.ts";

const FIGURES: readonly Figure[] = [
  startUp,
  idle,
  creates,
  list,
  watchLatency,
  crds,
  atSize,
  podStart,
  idlePods,
  serviceCost,
  travelDemo,
  manyClusters,
];

const USAGE = `npm run bench -- [--quick] [--json] [--only ID[,ID…]] [--directory DIR]
figures: ${FIGURES.map(({ id }) => id).join(", ")}`;

interface Failure {
  readonly figure: string;
  readonly subject: string;
  readonly message: string;
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string" },
    directory: { type: "string", default: os.tmpdir() },
    help: { type: "boolean", default: false },
  },
});

const say = (text: string): void => void process.stderr.write(`    ${text}\n`);

async function measureAll(
  context: BenchContext,
  chosen: readonly Figure[],
): Promise<{ measurements: Measurement[]; failures: Failure[] }> {
  const measurements: Measurement[] = [];
  const failures: Failure[] = [];
  const attempt = async (
    figure: Figure,
    subject: Measurement["subject"],
    measure: () => Promise<Omit<Measurement, "subject">[]>,
  ): Promise<void> => {
    process.stderr.write(`${figure.id}: ${subject}\n`);
    try {
      measurements.push(...(await measure()).map((one) => ({ ...one, subject })));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      failures.push({ figure: figure.id, subject, message });
      say(`failed: ${message}`);
    }
  };
  for (const figure of chosen) {
    if (figure.kind === "own") await attempt(figure, "travelops", () => figure.measure(context));
    else for (const subject of subjects()) await attempt(figure, subject.name, () => figure.measure(subject, context));
  }
  return { measurements, failures };
}

function machine(directory: string, quick: boolean) {
  return {
    cpus: os.cpus().length,
    cpu: os.cpus()[0]?.model ?? "",
    memoryMb: Math.round(os.totalmem() / 1024 / 1024),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
    loadAverage: os.loadavg()[0] ?? 0,
    fsyncMs: fsyncMs(directory, quick ? 30 : 100),
  };
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const only = values.only?.split(",");
  const unknown = only?.find((id) => !FIGURES.some((figure) => figure.id === id));
  if (unknown !== undefined) {
    process.stderr.write(`bench: there is no figure "${unknown}"\n${USAGE}\n`);
    return 2;
  }
  const directory = mkdtempSync(path.join(values.directory, "travelops-bench-"));
  try {
    const host = machine(directory, values.quick);
    const chosen = FIGURES.filter(({ id }) => only?.includes(id) !== false);
    const { measurements, failures } = await measureAll({ quick: values.quick, directory, say }, chosen);
    if (values.json)
      process.stdout.write(
        `${JSON.stringify({ machine: { ...host, loadAverageAfter: os.loadavg()[0] ?? 0 }, quick: values.quick, measurements, failures }, null, 2)}\n`,
      );
    else {
      const { median, min, max } = host.fsyncMs;
      process.stdout.write(
        `\n${renderTable(measurements)}\n\n${host.cpus} CPUs (${host.cpu}), ${host.system}, Node ${host.node}, load ${host.loadAverage.toFixed(1)} at the start, ${(os.loadavg()[0] ?? 0).toFixed(1)} at the end\n` +
          `the disk's fsync: ${median.toFixed(2)} ms (${min.toFixed(2)}–${max.toFixed(2)}): durable figures depend on it\n`,
      );
      for (const { figure, subject, message } of failures)
        process.stdout.write(`not measured: ${figure} of ${subject}: ${message}\n`);
    }
    return failures.length === 0 ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

process.exitCode = await main();
