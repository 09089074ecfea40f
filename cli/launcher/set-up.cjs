"use strict";
/**
 * Set-up of a checkout: dependencies by the lock file, then kubectl and Helm. Decided by a hash of what it is
 * made from, so that the next start costs one small read.
 */
const fs = require("node:fs");
const path = require("node:path");
const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { step } = require("./progress.cjs");

const ROOT = path.resolve(__dirname, "..", "..");
const CACHE = path.join(ROOT, "node_modules", ".cache", "travelops");

function fingerprint(root) {
  const hash = createHash("sha256");
  for (const file of ["package-lock.json", "cli/launcher/tools-integrity.json"]) {
    hash.update(fs.readFileSync(path.join(root, file)));
  }
  return hash.update(`${process.platform}-${process.arch}`).digest("hex");
}

const marker = () => path.join(CACHE, "set-up");

function isSetUp(root = ROOT) {
  try {
    return fs.readFileSync(marker(), "utf8") === fingerprint(root);
  } catch {
    return false;
  }
}

/** `npm ci`, by the npm that called us where there is one. Its output is shown only when it fails. */
function installDependencies(root) {
  const npm = process.env.npm_execpath;
  const [command, head] = npm && /\.c?js$/.test(npm) ? [process.execPath, [npm]] : ["npm", []];
  const result = spawnSync(command, [...head, "ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.error) throw new Error(`npm could not be started: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`npm ci failed:\n${result.stderr || result.stdout}`);
}

function checkPinnedNode(root) {
  const node = path.join(root, "node_modules", ".bin", "node");
  if (!fs.existsSync(node)) {
    throw new Error(
      `no Node of this project for ${process.platform}-${process.arch}: supported are linux and darwin on x64 and arm64`,
    );
  }
}

async function setUp(root = ROOT) {
  if (isSetUp(root)) return;
  process.stderr.write("Setting up this checkout (once):\n");
  fs.rmSync(marker(), { force: true });
  await step("Installing dependencies with npm ci", () => installDependencies(root));
  checkPinnedNode(root);
  const { carried, unpackTools } = require("./unpack-tools.cjs");
  if (carried()) await step("Unpacking kubectl and Helm", () => unpackTools(root, path.join(CACHE, "tools")));
  fs.mkdirSync(CACHE, { recursive: true });
  fs.writeFileSync(marker(), fingerprint(root));
}

module.exports = { ROOT, CACHE, isSetUp, setUp };

if (require.main === module) {
  setUp().catch((error) => {
    process.stderr.write(`set-up failed: ${error.message}\n`);
    process.exit(1);
  });
}
