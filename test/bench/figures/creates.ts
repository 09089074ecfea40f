/** Durable creates: ConfigMaps of 1 KB, 32 in flight on one HTTP/2 connection. */
import type { ApiFigure } from "../figure.ts";
import { connectH2, keepInFlight } from "../h2-client.ts";
import { spread } from "../statistics.ts";

const IN_FLIGHT = 32;
const BYTES = 1024;

/** An object whose JSON is 1 KB. */
function configMap(name: string): string {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value: "" } };
  object.data.value = "x".repeat(Math.max(0, BYTES - JSON.stringify(object).length));
  return JSON.stringify(object);
}

export const creates: ApiFigure = {
  kind: "api",
  id: "creates",
  async measure(subject, { quick, directory }) {
    const { address, close } = await subject.start(directory);
    const client = await connectH2(address);
    const rates: number[] = [];
    const each = quick ? 1_500 : 5_000;
    try {
      for (let run = 0; run <= (quick ? 3 : 5); run++) {
        const bodies = Array.from({ length: each }, (_, n) => configMap(`r${run}-${n}`));
        const begin = performance.now();
        await keepInFlight(each, IN_FLIGHT, (n) =>
          client.request("POST", "/api/v1/namespaces/default/configmaps", bodies[n]),
        );
        // The first run warms both sides up.
        if (run > 0) rates.push(each / ((performance.now() - begin) / 1000));
      }
    } finally {
      client.close();
      await close();
    }
    return [
      {
        id: "creates",
        what: "durable creates of 1 KB objects, 32 in flight, over TLS",
        unit: "a second",
        budget: { limit: 3000, better: "higher" },
        value: spread(rates),
      },
    ];
  },
};
