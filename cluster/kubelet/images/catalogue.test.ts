import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCatalogue, type CatalogueOptions } from "./catalogue.ts";
import { commandLine } from "./image.ts";
import { matcher, parseReference } from "./reference.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "travelops-images-"));
  mkdirSync(join(dir, "app/src"), { recursive: true });
  mkdirSync(join(dir, "lib"), { recursive: true });
  mkdirSync(join(dir, "node_modules/@acme"), { recursive: true });
  symlinkSync(join(dir, "lib"), join(dir, "node_modules/@acme/lib"));
  writeFileSync(join(dir, "app/src/main.ts"), "");
  writeFileSync(
    join(dir, "app/package.json"),
    JSON.stringify({
      name: "@acme/app",
      travelops: {
        images: [
          {
            references: ["quay.io/acme/app", "*/mirror/app"],
            version: "v1",
            entrypoint: ["node", "src/main.ts"],
            cmd: ["--serve"],
            env: { A: "1" },
            programs: { "app-server": ["node", "src/main.ts", "server"] },
          },
        ],
      },
    }),
  );
  writeFileSync(
    join(dir, "images.yaml"),
    "images:\n- reference: quay.io/me/tool:v2\n  command: [sh, -c, echo]\n- reference: quay.io/acme/app:mine\n  directory: ./app\n  command: [node, src/main.ts]\n",
  );
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const catalogue = (more: Partial<CatalogueOptions> = {}) =>
  createCatalogue({
    packages: [join(dir, "app")],
    unknownImages: "fail",
    node: "/usr/bin/node",
    host: {
      programs: {},
      find: (name) => (name === "kubectl" ? "/usr/bin/kubectl" : undefined),
      linkDirectory: join(dir, "bin"),
    },
    ...more,
  });

describe("references", () => {
  test.each([
    ["busybox", "docker.io/library/busybox", "latest"],
    ["bitnami/kubectl:1.30", "docker.io/bitnami/kubectl", "1.30"],
    ["localhost:5000/a/b", "localhost:5000/a/b", "latest"],
    ["quay.io/kiali/demo_travels_cars:v1", "quay.io/kiali/demo_travels_cars", "v1"],
    ["quay.io/a/b:v1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "quay.io/a/b", "v1"],
  ])("%s", (text, repository, tag) => expect(parseReference(text)).toMatchObject({ repository, tag }));
  test.each(["", "UPPER/case", "a b", "quay.io/x:", "-x"])("%j is none", (text) =>
    expect(parseReference(text)).toBeUndefined(),
  );
  test.each([
    ["*/hashicorp/vault", "hashicorp/vault:1.20", true],
    ["*/hashicorp/vault", "registry.connect.redhat.com/hashicorp/vault", true],
    ["*/hashicorp/vault", "hashicorp/vault-k8s", false],
    ["quay.io/a/b:v1", "quay.io/a/b:v2", false],
    ["quay.io/a/b:v*", "quay.io/a/b:v2", true],
    ["*/ubi9/*", "registry.access.redhat.com/ubi9/ubi-minimal:latest", true],
    ["busybox", "quay.io/x/busybox", false],
  ])("%s and %s: %s", (pattern, text, matches) => {
    const reference = parseReference(text);
    expect(reference !== undefined && matcher(pattern)(reference)).toBe(matches);
  });
});

describe("the catalogue", () => {
  test("a package's image, with its command as Docker reads it", () => {
    const found = catalogue().resolve("docker.io/mirror/app:9");
    if (found.kind !== "found") throw new Error(found.kind);
    const main = join(dir, "app/src/main.ts");
    expect(commandLine(found.image, {})).toEqual(["/usr/bin/node", main, "--serve"]);
    expect(commandLine(found.image, { args: ["-x"] })).toEqual(["/usr/bin/node", main, "-x"]);
    expect(commandLine(found.image, { command: ["sh"] })).toEqual(["sh"]);
    expect(commandLine(found.image, { command: ["/usr/local/bin/app-server"], args: ["-y"] })).toEqual([
      "/usr/bin/node",
      main,
      "server",
      "-y",
    ]);
    expect(found.image).toMatchObject({
      origin: "@acme/app",
      version: "v1",
      env: { A: "1" },
      workingDir: join(dir, "app"),
    });
    expect(found.image.view).toEqual(
      expect.arrayContaining([join(dir, "app"), join(dir, "node_modules"), join(dir, "lib"), "/usr/bin/node"]),
    );
    expect(found.imageID).toMatch(/^docker\.io\/mirror\/app@sha256:[0-9a-f]{64}$/);
  });

  test("users' images come first, and by tag", () => {
    const with_ = catalogue({ userFile: join(dir, "images.yaml") });
    expect(with_.resolve("quay.io/acme/app:mine")).toMatchObject({
      kind: "found",
      image: { origin: join(dir, "images.yaml") },
    });
    expect(with_.resolve("quay.io/acme/app:v1")).toMatchObject({ kind: "found", image: { origin: "@acme/app" } });
    expect(with_.resolve("quay.io/me/tool:v3").kind).toBe("unknown");
  });

  test("the machine's programs, where they exist", () => {
    expect(catalogue().resolve("busybox:1.36")).toMatchObject({ kind: "found", image: { cmd: ["sh"] } });
    expect(catalogue().resolve("registry.redhat.io/openshift4/ose-cli:latest").kind).toBe("found");
    expect(catalogue().resolve("alpine/helm").kind).toBe("unknown");
    expect(catalogue().resolve("registry.k8s.io/pause:3.10").kind).toBe("found");
  });

  test("what is not there fails with what is, or is simulated", () => {
    const unknown = catalogue().resolve("quay.io/other/app:v1");
    expect(unknown).toMatchObject({ kind: "unknown", message: expect.stringContaining("quay.io/acme/app") });
    expect(catalogue({ unknownImages: "simulate" }).resolve("quay.io/other/x").kind).toBe("simulated");
    expect(catalogue().resolve("No Good")).toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("couldn't parse image name"),
    });
  });

  test.each([
    ["images:\n- reference: a\n  comand: [x]\n", "images[0]: unknown field comand"],
    ["image:\n- reference: a\n", 'unknown field image (there is "images")'],
    ["- reference: a\n", 'has to hold a map with the list "images"'],
    ["images: {}\n", "images has to be a list"],
  ])("a wrong declaration is named: %j", (text, why) => {
    writeFileSync(join(dir, "bad.yaml"), text);
    expect(() => catalogue({ userFile: join(dir, "bad.yaml") })).toThrow(why);
    expect(() => catalogue({ userFile: join(dir, "bad.yaml") })).toThrow("bad.yaml");
  });

  test("an empty file declares nothing", () => {
    writeFileSync(join(dir, "empty.yaml"), "# none yet\n");
    expect(() => catalogue({ userFile: join(dir, "empty.yaml") })).not.toThrow();
  });
});
