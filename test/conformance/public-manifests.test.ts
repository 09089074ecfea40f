/**
 * Manifests that others publish, applied without a change: CRDs, what is installed beside them, and the objects of their
 * documentation. Runs where TRAVELOPS_PUBLIC_MANIFESTS names a folder (README.md says how to fill it). On kube-apiserver
 * it writes down there what became of every object, and elsewhere holds the embedded server against that.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { KubeObject, Resource } from "@travelops/kube";
import { StatusError } from "@travelops/kube";
import { type ApiUnderTest, eventually, startApiUnderTest } from "../api-under-test.ts";
import { toolPath } from "../tools.ts";

const folder = process.env["TRAVELOPS_PUBLIC_MANIFESTS"] ?? "";
const projects = folder === "" ? [] : readdirSync(folder).filter((name) => !name.startsWith("."));

const CRDS: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

function filesOf(project: string, part: string): string[] {
  const directory = path.join(folder, project, part);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => /\.ya?ml$/.test(name))
    .toSorted()
    .map((name) => path.join(directory, name));
}

/** Documents that are objects; what a document's own generator left open is skipped on both servers alike. */
function objectsOf(file: string): KubeObject[] {
  return parseAllDocuments(readFileSync(file, "utf8")).flatMap((document) => {
    if (document.errors.length > 0) return [];
    const value = document.toJS() as Partial<KubeObject> | null;
    return value?.kind === undefined || value.apiVersion === undefined || value.metadata === undefined
      ? []
      : [value as KubeObject];
  });
}

let api: ApiUnderTest;
beforeAll(async () => {
  if (folder !== "") api = await startApiUnderTest();
}, 90_000);
afterAll(() => api?.close());

function kubectl(...args: string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    const env = {
      PATH: process.env["PATH"],
      KUBECONFIG: api.kubeconfig,
      HOME: folder,
      KUBECACHEDIR: `${api.kubeconfig}.cache`,
    };
    execFile(toolPath("kubectl"), args, { env, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, out: stdout + stderr }),
    );
  });
}

interface Discovered {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[];
}

const discovered = new Map<string, Promise<Discovered>>();

async function resourceOf({ apiVersion, kind }: KubeObject): Promise<Resource | undefined> {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const url = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  let asked = discovered.get(url);
  if (asked === undefined) {
    asked = api.transport.call({ method: "GET", path: url }).then(({ body }) => body as Discovered);
    asked.catch(() => undefined);
    discovered.set(url, asked);
  }
  const found = (await asked.catch(() => ({ resources: [] as Discovered["resources"] }))).resources.find(
    (one) => one.kind === kind && !one.name.includes("/"),
  );
  return (
    found && { group: group ?? "", version: version ?? "", resource: found.name, kind, namespaced: found.namespaced }
  );
}

/** What becomes of an object that is created as it is. */
async function outcomeOf(object: KubeObject): Promise<string> {
  const resource = await resourceOf(object);
  if (resource === undefined) return "not served";
  const metadata = resource.namespaced ? { ...object.metadata, namespace: "default" } : object.metadata;
  try {
    await api.client.create(resource, { ...object, metadata }, { dryRun: true, fieldValidation: "Strict" });
    return "accepted";
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const causes = error.status.details?.causes ?? [];
    // Upstream names unknown fields in the order of a Go map.
    if (causes.length === 0)
      return `${error.code}: ${error.message
        .split(/, |: (?=unknown)/)
        .toSorted()
        .join(", ")}`;
    return [`${error.code}`, ...causes.map(({ field, message }) => `${field ?? ""}: ${message ?? ""}`).toSorted()].join(
      "\n",
    );
  }
}

test.skipIf(folder === "")("TRAVELOPS_PUBLIC_MANIFESTS holds projects", () => expect(projects).not.toEqual([]));

describe.each(projects)("%s", (project) => {
  test("its CRDs apply, are established, served and explained", async () => {
    const crds = filesOf(project, "crds").flatMap(objectsOf);
    expect(crds.length).toBeGreaterThan(0);
    for (const file of filesOf(project, "crds")) {
      const { code, out } = await kubectl("apply", "--server-side", "-f", file);
      expect({ file, code, out }).toEqual({
        file,
        code: 0,
        out: expect.stringContaining("serverside-applied") as unknown,
      });
    }
    for (const { metadata } of crds) {
      await eventually(async () => {
        const { status } = (await api.client.get(CRDS, "", metadata.name ?? "")) as unknown as {
          status?: { conditions?: { type: string; status: string }[] };
        };
        return status?.conditions?.some(({ type, status: is }) => type === "Established" && is === "True");
      });
    }
    for (const crd of crds) {
      const { group, names, versions } = crd["spec"] as {
        group: string;
        names: { plural: string };
        versions: { name: string; served: boolean }[];
      };
      for (const { name } of versions.filter(({ served }) => served)) {
        const explained = await eventually(async () => {
          const { code, out } = await kubectl("explain", names.plural, `--api-version=${group}/${name}`);
          return code === 0 && out;
        });
        expect(explained).toMatch(/^GROUP: +\S+\nKIND: +\S+\nVERSION: +\S+\n/);
      }
    }
  }, 300_000);

  test("its CRDs apply from the client's side, where they are small enough", async () => {
    for (const file of filesOf(project, "crds").filter((one) => readFileSync(one).length < 200_000)) {
      const { code, out } = await kubectl("apply", "--dry-run=server", "--validate=strict", "-f", file);
      expect({ file, code, out }).toMatchObject({ code: 0 });
    }
  }, 300_000);

  test("what is installed beside them applies, and its objects meet the same fate as upstream", async () => {
    discovered.clear();
    const outcomes: Record<string, string> = {};
    for (const part of ["installed", "objects"]) {
      for (const file of filesOf(project, part)) {
        for (const [i, object] of objectsOf(file).entries()) {
          if (part === "installed" && object.kind === CRDS.kind) continue;
          const id = `${path.basename(file)}#${i} ${object.kind} ${object.metadata.name ?? ""}`;
          outcomes[id] = await outcomeOf(object);
          if (part === "installed") expect(outcomes[id], id).toBe("accepted");
        }
      }
    }
    const written = path.join(folder, `.${project}.json`);
    if (api.real) writeFileSync(written, JSON.stringify(outcomes, null, 2));
    else if (existsSync(written)) {
      const upstream = JSON.parse(readFileSync(written, "utf8")) as Record<string, string>;
      const ids = new Set([...Object.keys(outcomes), ...Object.keys(upstream)]);
      const differing = [...ids].filter((id) => outcomes[id] !== upstream[id]);
      expect(differing.map((id) => [id, outcomes[id]])).toEqual(differing.map((id) => [id, upstream[id]]));
    }
  }, 300_000);
});
