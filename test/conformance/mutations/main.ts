/**
 * `KUBEBUILDER_ASSETS=DIR node test/conformance/mutations/main.ts [KIND,KIND/NAME …] [VERB,VERB …]`: sends the objects of
 * `objects.yaml`, each changed in one field in every way, to kube-apiserver and to ours, and prints how the answers
 * differ, one of a kind of difference. The verbs `status` and `table` take `statuses.yaml`. SAMPLE=5: every fifth.
 */
import { readFileSync } from "node:fs";
import { StatusError } from "@travelops/kube/api/status-error";
import type { ApiRequest } from "@travelops/kube";
import type { JsonObject } from "@travelops/kube/schema/json-value";
import type { SchemaNode } from "@travelops/kube/schema/node";
import { builtinRows } from "@travelops/kube/schema/table";
import { parseAllDocuments } from "yaml";
import { type ApiUnderTest, startApiUnderTest } from "../../api-under-test.ts";
import { type Answer, difference } from "./compare.ts";
import { type Mutation, mutations, type Path, valueAt } from "./mutate.ts";
import { requestOf, type Verb, VERBS } from "./requests.ts";

const NAMESPACE = "mutations";
const AT_ONCE = 16;
const UNTIL_SERVED_MS = 15_000;

interface Base {
  readonly object: JsonObject & { kind: string; metadata: JsonObject & { name: string } };
  readonly collection: string;
  readonly node: SchemaNode | undefined;
  /** Only what stands below is changed. */
  readonly from: Path;
}

function whereIs(object: Base["object"], all: readonly Base["object"][]): Pick<Base, "collection" | "node"> {
  const apiVersion = String(object["apiVersion"]);
  const row = builtinRows().find(
    (one) => one.kind === object.kind && apiVersion === [one.group, one.version].filter(Boolean).join("/"),
  );
  const { resource, namespaced } = row ?? definedIn(all, object.kind);
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return {
    collection: `${root}${namespaced ? `/namespaces/${NAMESPACE}` : ""}/${resource}`,
    node: row?.schema,
  };
}

function definedIn(all: readonly Base["object"][], kind: string): { resource: string; namespaced: boolean } {
  for (const { spec } of all as readonly { spec?: { scope?: string; names?: { kind?: string; plural?: string } } }[])
    if (spec?.names?.kind === kind)
      return { resource: spec.names.plural ?? "", namespaced: spec.scope === "Namespaced" };
  throw new Error(`no definition of ${kind} in objects.yaml`);
}

/** A request for a certificate, since the server reads it. */
function signingRequest(): string {
  return readFileSync(new URL("request.pem", import.meta.url)).toString("base64");
}

function readBases(verbs: readonly Verb[], wanted: readonly string[]): Base[] {
  const ofStatus = verbs.some((verb) => verb === "status" || verb === "table");
  const text = readFileSync(new URL(ofStatus ? "statuses.yaml" : "objects.yaml", import.meta.url), "utf8");
  const objects = parseAllDocuments(text.replaceAll("CSRPEM", signingRequest())).map(
    (document) => document.toJS() as Base["object"],
  );
  return objects
    .map((object) => ({ object, ...whereIs(object, objects), from: ofStatus ? ["status"] : [] }))
    .filter(
      ({ object: { kind, metadata } }) =>
        // Custom resources need their definitions.
        kind === "CustomResourceDefinition" ||
        wanted.length === 0 ||
        wanted.includes(kind) ||
        wanted.includes(`${kind}/${metadata.name}`),
    );
}

async function ask({ transport }: ApiUnderTest, request: ApiRequest): Promise<Answer> {
  try {
    return await transport.call(request);
  } catch (error) {
    // What brings kube-apiserver down is no answer to compare with.
    return error instanceof StatusError
      ? { code: error.code, body: error.status, warnings: [] }
      : { code: 0, body: String(error), warnings: [] };
  }
}

async function prepare(api: ApiUnderTest): Promise<void> {
  const make = (path: string, object: JsonObject): Promise<Answer> => ask(api, { method: "POST", path, body: object });
  for (const name of [NAMESPACE, "a", "b", "n"])
    await make("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  for (const namespace of [NAMESPACE, "default"])
    await make(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "default" },
    });
}

/** A kind that was just defined is served a moment later. */
async function createBase(api: ApiUnderTest, { object, collection }: Base): Promise<Answer> {
  const deadline = Date.now() + UNTIL_SERVED_MS;
  for (;;) {
    const answer = await ask(api, { method: "POST", path: collection, body: structuredClone(object) });
    if (answer.code !== 404 || Date.now() > deadline) return answer;
  }
}

/** `spec.containers[].name` */
const shape = (path: Path): string =>
  path
    .map((key) => (typeof key === "number" ? "[]" : `.${key}`))
    .join("")
    .replace(/^\./, "");

class Comparison {
  readonly #real: ApiUnderTest;
  readonly #ours: ApiUnderTest;
  readonly #seen = new Set<string>();
  cases = 0;
  differ = 0;

  constructor(real: ApiUnderTest, ours: ApiUnderTest) {
    this.#real = real;
    this.#ours = ours;
  }

  async #compare(request: ApiRequest, what: string, mutation: Mutation): Promise<void> {
    const [wanted, given] = await Promise.all([
      ask(this.#real, structuredClone(request)),
      ask(this.#ours, structuredClone(request)),
    ]);
    this.cases++;
    const found = wanted.code === 0 ? "" : difference(wanted, given);
    if (found === "") return;
    this.differ++;
    const kind = `${what} ${found.replaceAll(/\d+/g, "N").slice(0, 160)}`;
    if (this.#seen.has(kind)) return;
    this.#seen.add(kind);
    const value = JSON.stringify(valueAt(mutation.object, mutation.path))?.slice(0, 120) ?? "";
    console.log(`${what} (${mutation.name}: ${value})\n  ${found.slice(0, 1500)}`);
  }

  async run(base: Base, verbs: readonly Verb[], sample: number): Promise<void> {
    const { object, collection, node, from } = base;
    const { name } = object.metadata;
    const begin =
      from.length === 0 ? node : node?.kind === "struct" ? node.fields.get(String(from[0]))?.node : undefined;
    let queue: Promise<void>[] = [];
    let at = 0;
    for (const mutation of mutations(object, begin, from)) {
      if (at++ % sample !== 0) continue;
      for (const verb of verbs) {
        const request = requestOf(verb, mutation, collection, name);
        if (request === undefined) continue;
        queue.push(this.#compare(request, `${verb} ${object.kind}/${name} ${shape(mutation.path)}`, mutation));
        if (queue.length >= AT_ONCE) queue = (await Promise.all(queue), []);
      }
    }
    await Promise.all(queue);
  }
}

async function main(): Promise<void> {
  const [kinds = "", verbNames = "create"] = process.argv.slice(2);
  const assets = process.env["KUBEBUILDER_ASSETS"] ?? "";
  const verbs = verbNames.split(",").filter((verb): verb is Verb => VERBS.some((known) => known === verb));
  if (assets === "" || verbs.length === 0) {
    console.error(`set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd; verbs: ${VERBS.join(", ")}`);
    process.exitCode = 2;
    return;
  }
  const wanted = kinds.split(",").filter(Boolean);
  const real = await startApiUnderTest({ serviceAccounts: true });
  delete process.env["KUBEBUILDER_ASSETS"];
  const ours = await startApiUnderTest();
  try {
    await Promise.all([real, ours].map(prepare));
    const comparison = new Comparison(real, ours);
    for (const base of readBases(verbs, wanted)) {
      const [theirs, mine] = await Promise.all([createBase(real, base), createBase(ours, base)]);
      const found = difference(theirs, mine);
      const { kind, metadata } = base.object;
      if (found !== "") console.log(`create ${kind}/${metadata.name}, as it is\n  ${found.slice(0, 1500)}`);
      const asked = wanted.length === 0 || wanted.includes(kind) || wanted.includes(`${kind}/${metadata.name}`);
      if (asked) await comparison.run(base, verbs, Number(process.env["SAMPLE"] ?? 1));
    }
    console.log(`${comparison.cases} requests, ${comparison.differ} answers differ`);
  } finally {
    await Promise.all([real.close(), ours.close()]);
  }
}

await main();
