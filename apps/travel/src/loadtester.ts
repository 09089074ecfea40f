import { runLoad, summary } from "./loadtester/load-run.ts";
import { numberSetting, setting, SettingError, type Environment } from "./shared/env.ts";
import { createHttpClient } from "./shared/http-client.ts";
import { pause } from "./shared/pause.ts";
import { runService, type StartService } from "./shared/service.ts";

function wholeSetting(env: Environment, name: string, fallback: number): number {
  return Math.floor(numberSetting(env, name, fallback, 1));
}

/** Calls `/travels` in bursts, prints what each burst saw, sleeps, and starts again. */
export const start: StartService = async ({ env, log }) => {
  const base = setting(env, "TRAVELS_AGENCY_SERVICE").replace(/\/+$/, "");
  if (!URL.canParse(base)) {
    throw new SettingError(`TRAVELS_AGENCY_SERVICE is "${base}": it must be a URL, as in "http://travels:8000"`);
  }
  const stop = new AbortController();
  const client = createHttpClient();
  const options = {
    url: `${base}/travels`,
    connections: wholeSetting(env, "CONNECTIONS", 10),
    calls: wholeSetting(env, "NUMCALLS", 20),
    rate: numberSetting(env, "RATE", 0),
    signal: stop.signal,
    now: () => performance.now(),
  };
  const sleep = numberSetting(env, "SLEEP", 5) * 1000;
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const result = await runLoad(client, options);
      if (!stop.signal.aborted) log.info(summary(result));
      await pause(sleep, stop.signal);
    }
  };
  const running = loop();
  return {
    url: "",
    finished: running,
    close: async () => {
      stop.abort();
      await running;
      client.close();
    },
  };
};

if (import.meta.main) await runService("loadtester", start);
