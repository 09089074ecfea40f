"use strict";
/** From whatever Node started us to the command on the project's own Node. */
const fs = require("node:fs");
const path = require("node:path");
const { spawn } = require("node:child_process");
const { ROOT, CACHE, setUp } = require("./set-up.cjs");

const MINIMUM_NODE = 20;

async function launch(args) {
  if (Number(process.versions.node.split(".")[0]) < MINIMUM_NODE) {
    process.stderr.write(`travelops: Node ${MINIMUM_NODE} or newer is needed to start; this is ${process.version}\n`);
    process.exit(1);
  }
  try {
    await setUp();
  } catch (error) {
    process.stderr.write(`travelops: set-up failed: ${error.message}\n`);
    process.exit(1);
  }
  if (isPinnedNode()) return runHere(args);
  return runOnPinnedNode(args);
}

const pinnedNode = () => path.join(ROOT, "node_modules", ".bin", "node");

function isPinnedNode() {
  return fs.realpathSync(process.execPath) === fs.realpathSync(pinnedNode());
}

async function runHere(args) {
  require("node:module").enableCompileCache?.(path.join(CACHE, "compile"));
  const { main } = await import("../main.ts");
  await main(args);
}

function runOnPinnedNode(args) {
  const child = spawn(pinnedNode(), [path.join(ROOT, "travelops"), ...args], { stdio: "inherit" });
  // A terminal's Ctrl-C reaches the child by itself; what is sent to us alone is passed on.
  const pass = (signal) => child.kill(signal);
  process.on("SIGTERM", pass);
  process.on("SIGHUP", pass);
  process.on("SIGINT", () => {});
  child.on("exit", (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code ?? 1);
  });
}

module.exports = { launch };
