/** What `/metrics` shows, in Prometheus' text format and under upstream's names. */
import type { Store } from "../../store/store.ts";

const BUCKETS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 5, 10, 30, 60];

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

const label = (value: string): string => value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");

/** Labels are bounded: verbs, served resources and codes only, never names. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Histogram>();
  readonly #watchers = new Map<string, number>();
  inFlightReads = 0;
  inFlightWrites = 0;
  panics = 0;
  rejected = 0;
  watchersCutOff = 0;

  request(verb: string, resource: string, subresource: string, code: number, seconds: number): void {
    const request = `verb="${label(verb)}",resource="${label(resource)}",subresource="${label(subresource)}",code="${code}"`;
    this.#requests.set(request, (this.#requests.get(request) ?? 0) + 1);
    const key = `verb="${label(verb)}",resource="${label(resource)}",subresource="${label(subresource)}"`;
    let histogram = this.#durations.get(key);
    if (histogram === undefined) {
      histogram = { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
      this.#durations.set(key, histogram);
    }
    histogram.sum += seconds;
    histogram.count++;
    for (let i = 0; i < BUCKETS.length; i++) {
      if (seconds <= (BUCKETS[i] ?? 0)) histogram.counts[i] = (histogram.counts[i] ?? 0) + 1;
    }
  }

  watchers(table: string, change: 1 | -1): void {
    this.#watchers.set(table, (this.#watchers.get(table) ?? 0) + change);
  }

  render(store: Store): string {
    const lines: string[] = [];
    const metric = (name: string, type: string, help: string): void => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    };
    metric("apiserver_request_total", "counter", "Requests by verb, resource, subresource and code.");
    for (const [labels, count] of this.#requests) lines.push(`apiserver_request_total{${labels}} ${count}`);
    metric("apiserver_request_duration_seconds", "histogram", "Response latency by verb, resource and subresource.");
    for (const [labels, histogram] of this.#durations) {
      const name = "apiserver_request_duration_seconds";
      BUCKETS.forEach((bucket, i) =>
        lines.push(`${name}_bucket{${labels},le="${bucket}"} ${histogram.counts[i] ?? 0}`),
      );
      lines.push(`${name}_bucket{${labels},le="+Inf"} ${histogram.count}`);
      lines.push(`${name}_sum{${labels}} ${histogram.sum}`, `${name}_count{${labels}} ${histogram.count}`);
    }
    metric("apiserver_longrunning_requests", "gauge", "Open watches by resource.");
    for (const [table, count] of this.#watchers) {
      lines.push(`apiserver_longrunning_requests{verb="WATCH",resource="${label(table)}"} ${count}`);
    }
    metric("apiserver_current_inflight_requests", "gauge", "Requests being served.");
    lines.push(`apiserver_current_inflight_requests{request_kind="readOnly"} ${this.inFlightReads}`);
    lines.push(`apiserver_current_inflight_requests{request_kind="mutating"} ${this.inFlightWrites}`);
    metric("apiserver_dropped_requests_total", "counter", "Requests refused with 429.");
    lines.push(`apiserver_dropped_requests_total ${this.rejected}`);
    metric("apiserver_terminated_watchers_total", "counter", "Watchers cut off for being slow.");
    lines.push(`apiserver_terminated_watchers_total ${this.watchersCutOff}`);
    metric("apiserver_panics_total", "counter", "Faults in handlers, answered with 500.");
    lines.push(`apiserver_panics_total ${this.panics}`);
    metric("apiserver_storage_objects", "gauge", "Stored objects by resource.");
    for (const table of store.tables()) {
      lines.push(`apiserver_storage_objects{resource="${label(table.replace(/\.$/, ""))}"} ${store.count(table)}`);
    }
    metric("travelops_store_revision", "gauge", "Last committed revision of the store.");
    lines.push(`travelops_store_revision ${store.revision}`);
    metric("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
    lines.push(`process_resident_memory_bytes ${process.memoryUsage.rss()}`);
    const cpu = process.cpuUsage();
    metric("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.");
    lines.push(`process_cpu_seconds_total ${(cpu.user + cpu.system) / 1e6}`);
    return `${lines.join("\n")}\n`;
  }
}
