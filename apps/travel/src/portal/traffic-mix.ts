import type { Settings } from "./settings.ts";

export type Device = "web" | "mobile";
export type User = "registered" | "new";
export type Travel = "t1" | "t2" | "t3";

export interface Visitor {
  readonly device: Device;
  readonly user: User;
  readonly travel: Travel;
}

const DEVICES: readonly Device[] = ["mobile", "web"];
const USERS: readonly User[] = ["registered", "new"];
const TRAVELS: readonly Travel[] = ["t1", "t2", "t3"];

/**
 * Draws from shares until they are used up, then fills them again. What is left of a fractional share stays
 * in the counter, so 14.5 gives 29 draws in two rounds.
 */
class Quota<Name extends string> {
  readonly #left = new Map<Name, number>();

  draw(order: readonly Name[], shares: Readonly<Record<Name, number>>): Name {
    const found = this.#take(order);
    if (found !== undefined) return found;
    const total = order.reduce((sum, name) => sum + shares[name], 0);
    const [first] = order;
    if (first === undefined) throw new RangeError("nothing to draw from");
    if (total === 0) return first;
    // Shares below one in sum (0.2 and 0.3) are scaled up: one round must give at least one draw.
    const scale = total < 1 ? order.length / total : 1;
    for (const name of order) this.#left.set(name, (this.#left.get(name) ?? 0) + shares[name] * scale);
    return this.#take(order) ?? first;
  }

  #take(order: readonly Name[]): Name | undefined {
    for (const name of order) {
      const left = this.#left.get(name) ?? 0;
      if (left < 1) continue;
      this.#left.set(name, left - 1);
      return name;
    }
    return undefined;
  }
}

function rotated<Name>(names: readonly Name[], by: number): Name[] {
  return [...names.slice(by % names.length), ...names.slice(0, by % names.length)];
}

/** Chooses the visitors of a portal in the proportions of its settings. */
export class TrafficMix {
  readonly #settings: Settings;
  readonly #devices = new Quota<Device>();
  readonly #users = new Quota<User>();
  readonly #travels = new Quota<Travel>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The visitor of round `round` (1 is the first). */
  next(round: number): Visitor {
    return {
      device: this.#devices.draw(rotated(DEVICES, round % 2), this.#settings.devices),
      user: this.#users.draw(rotated(USERS, round % 2), this.#settings.users),
      travel: this.#travels.draw(rotated(TRAVELS, round % 3), this.#settings.travel_type),
    };
  }
}
