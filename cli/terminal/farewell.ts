/** The last thing `up` says: where everything is, and what to try next. */
import pc from "picocolors";
import type { UrlRow } from "../status/urls.ts";

export interface Farewell {
  urls: readonly UrlRow[];
  kubeconfig: string;
  gitUrl: string;
  gitCredentials: string;
  inCluster: boolean;
  color: boolean;
}

export function farewell(facts: Farewell): string {
  const paint = pc.createColors(facts.color);
  const seen = new Set<string>();
  const pages = facts.urls.filter((row) => row.name !== "git" && !seen.has(row.url) && seen.add(row.url));
  const lines = [
    "",
    ...pages.map((row) => `  ${paint.bold(row.name.padEnd(12))} ${paint.cyan(row.url)}`),
    `  ${paint.bold("Kubeconfig".padEnd(12))} ${facts.kubeconfig}`,
  ];
  if (facts.inCluster) lines.push(`  ${paint.bold("Git".padEnd(12))} ${facts.gitUrl}/git/pattern.git`);
  lines.push("", "  Try:", "    ./travelops status", "    ./travelops kubectl get pods -A");
  if (facts.inCluster)
    lines.push(
      `    git clone -c credential.helper='store --file=${facts.gitCredentials}' ${facts.gitUrl}/git/pattern.git my-pattern`,
    );
  lines.push("", `  ${paint.dim("Stop: Ctrl-C or ./travelops down (the state is kept)")}`, "");
  return `${lines.join("\n")}\n`;
}
