"use strict";
/** Narration of the set-up on stderr: one line a step, with its duration. */

function seconds(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Runs `work`, telling its name before (on a terminal) and its duration after. */
async function step(name, work, out = process.stderr) {
  const started = performance.now();
  const live = Boolean(out.isTTY) && !process.env.CI;
  if (live) out.write(`  … ${name}`);
  else out.write(`  … ${name}\n`);
  try {
    const result = await work();
    out.write(`${live ? "\r\x1b[2K" : ""}  ✓ ${name} (${seconds(performance.now() - started)})\n`);
    return result;
  } catch (error) {
    out.write(`${live ? "\r\x1b[2K" : ""}  ✗ ${name}\n`);
    throw error;
  }
}

module.exports = { step, seconds };
