import type { HttpClient } from "../shared/http-client.ts";
import { errorText, type Log } from "../shared/log.ts";
import { pause } from "../shared/pause.ts";
import { DEFAULT_SETTINGS, roundInterval, type Settings } from "./settings.ts";
import { count, noRequests, type CityStatus } from "./statistics.ts";
import { TrafficMix, type Visitor } from "./traffic-mix.ts";

interface Destination {
  readonly city: string;
  readonly lat: string;
  readonly lng: string;
}

export interface LoadLoopOptions {
  readonly portal: string;
  readonly agency: string;
  readonly client: HttpClient;
  readonly log: Log;
  /** A number from 0 up to, not including, 1. */
  readonly random: () => number;
}

/** The visitors of a portal: each round one of them looks at the cities and asks for a quote. */
export class LoadLoop {
  readonly requests = noRequests();
  readonly #options: LoadLoopOptions;
  readonly #cities = new Map<string, CityStatus>();
  readonly #stop = new AbortController();
  #settings = DEFAULT_SETTINGS;
  #mix = new TrafficMix(DEFAULT_SETTINGS);
  #wake = new AbortController();
  #failure: string | undefined;

  constructor(options: LoadLoopOptions) {
    this.#options = options;
  }

  get settings(): Settings {
    return this.#settings;
  }

  get cities(): CityStatus[] {
    return [...this.#cities.values()];
  }

  /** Why the last round could not reach the agency, if it could not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Takes new settings: quotas start anew and a running pause is measured by the new ratio. */
  change(settings: Settings): void {
    this.#settings = settings;
    this.#mix = new TrafficMix(settings);
    this.#wake.abort();
  }

  /** Runs until closed. */
  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#round();
      await this.#rest();
    }
  }

  close(): void {
    this.#stop.abort();
    this.#wake.abort();
  }

  async #rest(): Promise<void> {
    const since = performance.now();
    for (;;) {
      const left = roundInterval(this.#settings.request_ratio) - (performance.now() - since);
      if (left <= 0 || this.#stop.signal.aborted) return;
      this.#wake = new AbortController();
      await pause(left, this.#wake.signal);
    }
  }

  async #round(): Promise<void> {
    const visitor = this.#mix.next(this.requests.total + 1);
    count(this.requests, visitor);
    try {
      const destinations = await this.#destinations(visitor);
      const chosen = destinations[Math.floor(this.#options.random() * destinations.length)];
      if (chosen === undefined) throw new Error("the travel agency knows no cities");
      await this.#quote(chosen, visitor);
      this.#report(undefined);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#report(errorText(error));
    }
  }

  /** Logs only what is new: an agency that stays away fills no log. */
  #report(failure: string | undefined): void {
    if (failure === this.#failure) return;
    const { log, agency } = this.#options;
    if (failure === undefined) log.info(`${agency} answers again`);
    else log.warn(`cannot ask ${agency}: ${failure}`);
    this.#failure = failure;
  }

  #get(path: string, visitor: Visitor) {
    const { client, agency, portal } = this.#options;
    return client.call(`${agency}${path}`, {
      headers: { portal, device: visitor.device, user: visitor.user, travel: visitor.travel },
      signal: this.#stop.signal,
    });
  }

  async #destinations(visitor: Visitor): Promise<Destination[]> {
    const response = await this.#get("/travels", visitor);
    if (response.status >= 400) throw new Error(`/travels answered ${response.status}`);
    const body = response.json();
    return Array.isArray(body) ? (body as Destination[]) : [];
  }

  async #quote(destination: Destination, visitor: Visitor): Promise<void> {
    const response = await this.#get(`/travels/${encodeURIComponent(destination.city)}`, visitor);
    if (response.status >= 400) return;
    let status = this.#cities.get(destination.city);
    if (!status) {
      const coordinates = [Number(destination.lng), Number(destination.lat)] as const;
      status = { city: destination.city, coordinates, requests: noRequests() };
      this.#cities.set(destination.city, status);
    }
    count(status.requests, visitor);
  }
}
