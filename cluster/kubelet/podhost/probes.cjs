"use strict";
/**
 * Probes with their timers and thresholds. They run here, so that an idle cluster process sleeps: it hears of a
 * threshold that was crossed, and of each counted failure (for its event).
 */
const { attempt } = require("./probe-actions.cjs");

/** Between a start and the first success, extra tries come this soon; their failures do not count. */
const FIRST_EAGER_MS = 30;
const EAGER_GROWTH = 1.6;
/** A probe that takes this much longer than its time limit did not get to run. */
const ASLEEP_MS = 2000;

class Probes {
  constructor(emit) {
    this.emit = emit;
    this.active = new Map();
  }

  /** `key` names container and kind; a second `add` replaces the first. */
  add(spec) {
    this.remove(spec);
    const probe = {
      spec,
      timer: undefined,
      successes: 0,
      failures: 0,
      result: undefined,
      stopped: false,
      succeeded: false,
      eager: FIRST_EAGER_MS,
      nextRegular: 0,
    };
    this.active.set(spec.key, probe);
    const ran = Math.max(0, Date.now() - spec.startedAt);
    const delay = Math.max(0, spec.initialDelayMs - ran);
    probe.nextRegular = performance.now() + delay;
    this.arm(probe, delay);
    return {};
  }

  remove({ key }) {
    const probe = this.active.get(key);
    if (probe === undefined) return {};
    probe.stopped = true;
    clearTimeout(probe.timer);
    this.active.delete(key);
    return {};
  }

  removeAll({ prefix }) {
    for (const key of [...this.active.keys()]) if (key.startsWith(prefix)) this.remove({ key });
    return {};
  }

  arm(probe, ms) {
    probe.timer = setTimeout(() => void this.try(probe), ms);
  }

  async try(probe) {
    const { spec } = probe;
    const begun = performance.now();
    const regular = begun >= probe.nextRegular;
    if (regular) probe.nextRegular = begun + spec.periodMs;
    const { ok, message } = await attempt(spec.action, spec.timeoutMs);
    if (probe.stopped) return;
    // The machine slept: whether the container would have answered in time is not known.
    const slept = performance.now() - begun > spec.timeoutMs + ASLEEP_MS;
    if (ok || (regular && !slept)) this.count(probe, ok, message);
    if (probe.stopped) return;
    this.arm(probe, this.pause(probe, ok));
  }

  /** Eager while nothing has succeeded yet and a success would tell something new. */
  pause(probe, ok) {
    if (ok) probe.succeeded = true;
    const regular = Math.max(0, probe.nextRegular - performance.now());
    if (probe.succeeded || probe.spec.kind === "liveness") return regular;
    probe.eager = Math.min(probe.eager * EAGER_GROWTH, probe.spec.periodMs);
    return Math.min(regular, probe.eager);
  }

  count(probe, ok, message) {
    const { spec } = probe;
    if (ok) {
      probe.successes++;
      probe.failures = 0;
    } else {
      probe.failures++;
      probe.successes = 0;
    }
    const reached = ok ? probe.successes >= spec.successThreshold : probe.failures >= spec.failureThreshold;
    const changed = reached && probe.result !== ok;
    if (changed) probe.result = ok;
    if (changed || !ok) this.emit({ ev: "probe", key: spec.key, kind: spec.kind, ok, message, changed });
    // A failed liveness or startup probe ends the container, a passed startup probe its own purpose.
    if (changed && ((!ok && spec.kind !== "readiness") || (ok && spec.kind === "startup"))) this.remove(spec);
  }
}

module.exports = { Probes };
