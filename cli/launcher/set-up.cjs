"use strict";
/**
 * Set-up of a checkout: dependencies by the lock file, then kubectl and Helm. Decided by a hash of what it is
 * made from, so that the next start costs one small read.
 */
const fs = require("node:fs");
const path = require("node:path");
const { spawn, spawnSync } = require("node:child_process");
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
async function installDependencies(root) {
  const npm = process.env.npm_execpath;
  const [command, head] = npm && /\.c?js$/.test(npm) ? [process.execPath, [npm]] : ["npm", []];
  const result = await runWhole(command, [...head, "ci", "--no-audit", "--no-fund", "--loglevel=error"], root);
  if (result.status !== 0) throw new Error(`npm ci failed:\n${result.stderr || result.stdout}`);
}

const STOPS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * Runs npm in a process group of its own: told to stop it would go on for a while, and the next set-up would meet it. So
 * it is killed and waited for; `npm ci` begins by removing what is there.
 */
function runWhole(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const said = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"])
      child[stream].setEncoding("utf8").on("data", (text) => (said[stream] += text));
    let stoppedBy;
    const stop = (signal) => {
      stoppedBy ??= signal;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    for (const signal of Object.keys(STOPS)) process.on(signal, stop);
    const settled = () => {
      for (const signal of Object.keys(STOPS)) process.removeListener(signal, stop);
    };
    child.once("error", (error) => {
      settled();
      reject(new Error(`npm could not be started: ${error.message}`));
    });
    child.once("close", (status) => {
      settled();
      if (stoppedBy !== undefined) process.exit(STOPS[stoppedBy]);
      resolve({ status, ...said });
    });
  });
}

function checkPinnedNode(root) {
  const node = path.join(root, "node_modules", ".bin", "node");
  if (!fs.existsSync(node)) {
    throw new Error(
      `no Node of this project for ${process.platform}-${process.arch}: supported are linux and darwin on x64 and arm64`,
    );
  }
}

/** What the sources are: the commit that is checked out; "" outside a checkout. */
function commitOf(root) {
  try {
    const head = fs.readFileSync(path.join(root, ".git", "HEAD"), "utf8").trim();
    if (!head.startsWith("ref: ")) return head;
    const ref = path.join(root, ".git", head.slice(5));
    if (fs.existsSync(ref)) return fs.readFileSync(ref, "utf8").trim();
    return (
      fs
        .readFileSync(path.join(root, ".git", "packed-refs"), "utf8")
        .split("\n")
        .find((line) => line.endsWith(` ${head.slice(5)}`)) ?? ""
    );
  } catch {
    return "";
  }
}

const warmMarker = () => path.join(CACHE, "warm");

function isWarm(root) {
  try {
    return fs.readFileSync(warmMarker(), "utf8") === commitOf(root);
  } catch {
    return false;
  }
}

/** A cache that cannot be warmed costs time, not function. */
async function warm(root) {
  if (isWarm(root)) return;
  const node = path.join(root, "node_modules", ".bin", "node");
  const script = path.join(__dirname, "warm-cache.mjs");
  await step("Compiling the programs once", () => {
    const result = spawnSync(node, [script, path.join(CACHE, "compile")], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (result.status !== 0 && process.env.TRAVELOPS_DEBUG) process.stderr.write(result.stderr ?? "");
  });
  fs.writeFileSync(warmMarker(), commitOf(root));
}

async function setUp(root = ROOT) {
  if (!isSetUp(root)) await install(root);
  await warm(root);
}

async function install(root) {
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

// For tests and checks installing is enough; what is measured starts as it does for users (--warm).
if (require.main === module) {
  (process.argv.includes("--warm") ? setUp() : isSetUp() ? Promise.resolve() : install(ROOT)).catch((error) => {
    process.stderr.write(`set-up failed: ${error.message}\n`);
    process.exit(1);
  });
}
