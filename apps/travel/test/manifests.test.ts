import { readdirSync, readFileSync, existsSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

const ROOT = resolve(import.meta.dirname, "../../..");
const FIXTURES = resolve(ROOT, "test/fixtures/travels");

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec?: { template?: { spec: { containers: { image: string }[] } } };
}

function documents(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as Manifest;
    })
    .filter((manifest) => manifest !== null);
}

function declared(): { references: string[]; entrypoint: string[] }[] {
  const text = readFileSync(resolve(ROOT, "apps/travel/package.json"), "utf8");
  return (JSON.parse(text) as { travelops: { images: { references: string[]; entrypoint: string[] }[] } }).travelops
    .images;
}

function imagesOf(manifests: readonly Manifest[]): string[] {
  return manifests.flatMap((manifest) => manifest.spec?.template?.spec.containers.map(({ image }) => image) ?? []);
}

const references = new Set(declared().flatMap((image) => image.references));

test("every declared image has its program", () => {
  expect(declared()).toHaveLength(10);
  for (const { entrypoint } of declared())
    expect(existsSync(resolve(ROOT, "apps/travel", entrypoint[1] ?? ""))).toBe(true);
});

test.each(readdirSync(FIXTURES).filter((file) => file.endsWith(".yaml")))("the images of %s are declared", (file) => {
  const images = imagesOf(documents(readFileSync(resolve(FIXTURES, file), "utf8")));
  expect(images.length).toBeGreaterThan(0);
  for (const image of images) expect(references).toContain(image.replace(/:v1$/, ""));
});

const HELM = [process.env["HELM"] ?? "", resolve(ROOT, "node_modules/.cache/travelops/tools/helm")].find(
  (path) => path !== "" && existsSync(path),
);

describe.skipIf(HELM === undefined)("the pattern's charts", () => {
  const render = (chart: string, ...args: string[]): string =>
    execFileSync(HELM ?? "helm", ["template", "demo", resolve(ROOT, "pattern", chart), ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  const charts = ["travel-agency", "travel-portal", "travel-control"].map((name) => `charts/all/${name}`);

  test("render to declared images, the same every time, with no secret in them", () => {
    for (const chart of charts) {
      const text = render(chart);
      expect(render(chart)).toBe(text);
      const manifests = documents(text);
      expect(manifests.filter(({ kind }) => kind === "Secret")).toEqual([]);
      for (const image of imagesOf(manifests)) expect(references).toContain(image.replace(/:v1$/, ""));
    }
  });

  test("name what upstream names", () => {
    const names = charts.flatMap((chart) =>
      documents(render(chart)).map(({ kind, metadata }) => `${kind}/${metadata.name}`),
    );
    const agency = ["cars", "flights", "hotels", "insurances", "discounts", "travels", "mysqldb"];
    const expected = [...agency, "voyages", "viaggi", "control"].flatMap((name) => [
      `Deployment/${name}-v1`,
      `Service/${name}`,
    ]);
    expect(names).toEqual(expect.arrayContaining(expected));
    expect(names).toContain("Route/control");
    const gateway = documents(render("charts/all/travel-control", "--set", "gateway.enabled=true,route.enabled=false"));
    expect(gateway.map(({ kind }) => kind).toSorted()).toEqual(["Deployment", "Gateway", "HTTPRoute", "Service"]);
  });

  test("replicas may be 0, and one service's environment is its own", () => {
    const text = render(
      "charts/all/travel-agency",
      "--set",
      "services.cars.replicas=0,services.cars.env.CHAOS_MONKEY=true",
    );
    expect(text.match(/replicas: 0/g)).toHaveLength(1);
    expect(text.match(/CHAOS_MONKEY/g)).toHaveLength(1);
  });

  test("the applications come from values-hub.yaml, from one address", () => {
    const url = "https://git.example.com/me/pattern.git";
    const manifests = documents(
      render("apps", "--namespace", "gitops", "--set", `global.repoURL=${url}`),
    ) as (Manifest & {
      spec: { source?: { repoURL: string; path: string }; sourceRepos?: string[] };
    })[];
    const applications = manifests.filter(({ kind }) => kind === "Application");
    expect(applications.map(({ spec }) => [spec.source?.repoURL, spec.source?.path])).toEqual(
      ["agency", "control", "portal"].map((name) => [url, `charts/all/travel-${name}`]),
    );
    expect(manifests.find(({ kind }) => kind === "AppProject")?.spec.sourceRepos).toEqual([url]);
  });
});
