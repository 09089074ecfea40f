/** `travelops status`: clusters, applications, pods, URLs. Exit 7 when something is not as Git wants it. */
import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { outputOption } from "../output-option.ts";
import { EXIT, notRunning } from "../errors.ts";
import { liveRunState } from "../run-state.ts";
import { isDone } from "../status/applications.ts";
import { collectStatus, type StatusReport } from "../status/collect.ts";
import { table } from "../terminal/table.ts";

export function addStatus(program: Command, context: CliContext): void {
  program
    .command("status")
    .description("what runs: clusters, applications (sync, health), pods, sandbox, URLs")
    .addOption(outputOption())
    .action(async (options: { output: string }) => {
      const dir = context.dataDir(program.opts());
      const run = await liveRunState(dir);
      if (run === undefined) throw notRunning(dir.root);
      const report = await collectStatus(dir, run);
      context.stdout(options.output === "json" ? `${JSON.stringify(report, null, 2)}\n` : renderStatus(report));
      const well = report.clusters.every((cluster) => cluster.state === "running") && report.applications.every(isDone);
      context.setExit(well ? EXIT.ok : EXIT.unhealthy);
    });
}

const explanation = ({ name, message = "" }: StatusReport["clusters"][number]): string =>
  message === "" ? "" : `  ${name}: ${message.replaceAll("\n", " ")}\n`;

function renderStatus(report: StatusReport): string {
  const sections = [
    table(
      ["CLUSTER", "STATE", "PODS READY", "SANDBOX", "API SERVER"],
      report.clusters.map((cluster) => {
        const pods = report.pods.find((count) => count.cluster === cluster.name);
        return [
          cluster.name,
          cluster.state,
          pods === undefined ? "-" : `${pods.ready}/${pods.total}`,
          cluster.sandbox === "" ? "-" : cluster.sandbox,
          cluster.apiServer,
        ];
      }),
    ) + report.clusters.map(explanation).join(""),
  ];
  if (report.applications.length > 0) {
    sections.push(
      table(
        ["APPLICATION", "SYNC", "HEALTH", "REVISION", "MESSAGE"],
        report.applications.map((row) => [
          row.name,
          row.sync,
          row.health,
          row.revision.slice(0, 8),
          row.message.replaceAll("\n", " "),
        ]),
      ),
    );
  }
  if (report.urls.length > 0) {
    sections.push(
      table(
        ["NAME", "URL", "ALSO AT"],
        report.urls.map((row) => [row.name, row.url, row.local ?? "-"]),
      ),
    );
  }
  return sections.join("\n");
}
