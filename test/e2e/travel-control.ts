/** travel-control's API, as the public demo has it. */
import { type Answer, ask, askJson } from "./http.ts";

export interface Settings {
  request_ratio: number;
  devices: { web: number; mobile: number };
  users: { registered: number; new: number };
  travel_type: { t1: number; t2: number; t3: number };
}

export interface PortalStatus {
  readonly name: string;
  readonly country: string;
  readonly coordinates: readonly [number, number];
  readonly settings: Settings;
  readonly status: {
    readonly requests: { readonly total: number };
    readonly cities: readonly { readonly city: string }[] | null;
    readonly error: boolean;
  };
}

export const portals = (url: string): Promise<PortalStatus[]> => askJson<PortalStatus[]>(`${url}/status`);

export const putSettings = (url: string, portal: string, settings: Settings): Promise<Answer> =>
  ask(`${url}/settings/${portal}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(settings),
  });
