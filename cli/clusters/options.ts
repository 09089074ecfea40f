/** What any cluster can be asked to be, checked. */
import { badClusterName, CliError, EXIT } from "../errors.ts";

export const SANDBOXES = ["auto", "namespaces", "bare"];

const MAX_NODES = 100;
/** A DNS label that leaves room for what is made of it: `apps.NAME.travelops.localhost` is a certificate's name. */
const NAME = /^[a-z0-9]([-a-z0-9]{0,37}[a-z0-9])?$/;

export function checkClusterName(name: string): void {
  if (!NAME.test(name)) throw badClusterName(name);
}

export function parseNodes(text: string): number {
  const nodes = Number(text);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MAX_NODES)
    throw new CliError("BAD_NODES", EXIT.usage, `--nodes: "${text}" is no number from 1 to ${MAX_NODES}`);
  return nodes;
}
