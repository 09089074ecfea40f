import type { IncomingHttpHeaders } from "node:http";
import { numberSetting, setting, type Environment } from "./env.ts";
import { pause } from "./pause.ts";
import { headerOf } from "./propagation.ts";

/** The chaos monkey: makes chosen requests slow, as `CHAOS_MONKEY*` says. */
export interface ChaosMonkey {
  readonly enabled: boolean;
  /** Waits when this request is one of the chosen. */
  disturb(request: ChaosRequest, signal: AbortSignal): Promise<void>;
}

export interface ChaosRequest {
  readonly headers: IncomingHttpHeaders;
  readonly city: string;
}

type Chooses = (request: ChaosRequest) => boolean;

type Wait = (milliseconds: number, signal: AbortSignal) => Promise<void>;

function monkey(env: Environment, wait: Wait, chooses: Chooses): ChaosMonkey {
  const enabled = env["CHAOS_MONKEY"] === "true";
  const sleep = numberSetting(env, "CHAOS_MONKEY_SLEEP", 500);
  return {
    enabled,
    disturb: async (request, signal) => {
      if (enabled && chooses(request)) await wait(sleep, signal);
    },
  };
}

/** For cars, flights, hotels, insurances and discounts: by portal, device and user. */
export function requesterChaos(env: Environment, wait: Wait = pause): ChaosMonkey {
  const filters = (["portal", "device", "user"] as const).map(
    (name) => [name, setting(env, `CHAOS_MONKEY_${name.toUpperCase()}`)] as const,
  );
  return monkey(env, wait, ({ headers }) => {
    const values = filters.map(([name, filter]) => ({ value: headerOf(headers, name), filter }));
    return (
      values.every(({ value }) => value === "") || values.some(({ value, filter }) => value !== "" && value === filter)
    );
  });
}

/** For travels: by city and user. */
export function quoteChaos(env: Environment, wait: Wait = pause): ChaosMonkey {
  const city = setting(env, "CHAOS_MONKEY_CITY");
  const user = setting(env, "CHAOS_MONKEY_USER");
  return monkey(
    env,
    wait,
    (request) =>
      (city === "" && user === "") ||
      (city !== "" && request.city === city) ||
      (user !== "" && headerOf(request.headers, "user") === user),
  );
}
