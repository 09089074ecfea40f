/** `travelops open NAME`: a Route, Ingress or Gateway in the browser; without one, its URL on stdout. */
import { spawn } from "node:child_process";
import type { Command } from "commander";
import { connect } from "../connect.ts";
import type { CliContext } from "../context.ts";
import { notRunning, urlUnknown } from "../errors.ts";
import { HUB, liveRunState } from "../run-state.ts";
import { collectUrls } from "../status/urls.ts";
import { onPath } from "../tools.ts";

export function addOpen(program: Command, context: CliContext): void {
  program
    .command("open")
    .argument("<name>", "of a Route, Ingress or HTTPRoute, as `status` lists them")
    .option("--print", "only print the URL")
    .description("open a Route, Ingress or Gateway in the browser")
    .action(async (name: string, options: { print?: boolean }) => {
      const dir = context.dataDir(program.opts());
      const run = await liveRunState(dir);
      const hub = run?.clusters.find((each) => each.name === HUB);
      if (hub === undefined) throw notRunning(dir.root);
      const connection = connect(hub.kubeconfig);
      const rows = await collectUrls(connection.client, hub.ingress).finally(() => connection.close());
      const row = rows.find((each) => each.name === name || `${each.namespace}/${each.name}` === name);
      if (row === undefined) throw urlUnknown(name, [...new Set(rows.map((each) => each.name))]);
      context.stdout(`${row.url}\n`);
      const opener = ["xdg-open", "open"].map((tool) => onPath(tool, context.env)).find((found) => found !== undefined);
      if (options.print === true || opener === undefined || !process.stdout.isTTY) return;
      spawn(opener, [row.url], { stdio: "ignore", detached: true })
        .on("error", () => undefined)
        .unref();
    });
}
