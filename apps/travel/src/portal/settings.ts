/** How a portal's visitors are mixed; the sliders of the dashboard. Percentages, which may be fractional. */
export interface Settings {
  readonly request_ratio: number;
  readonly devices: { readonly web: number; readonly mobile: number };
  readonly users: { readonly registered: number; readonly new: number };
  readonly travel_type: { readonly t1: number; readonly t2: number; readonly t3: number };
}

export const DEFAULT_SETTINGS: Settings = {
  request_ratio: 50,
  devices: { web: 50, mobile: 50 },
  users: { registered: 50, new: 50 },
  travel_type: { t1: 34, t2: 33, t3: 33 },
};

export const NO_SETTINGS: Settings = {
  request_ratio: 0,
  devices: { web: 0, mobile: 0 },
  users: { registered: 0, new: 0 },
  travel_type: { t1: 0, t2: 0, t3: 0 },
};

/** A settings document that cannot be taken. */
export class SettingsError extends Error {
  override name = "SettingsError";
}

type Fields = Readonly<Record<string, unknown>>;

function object(value: unknown, path: string): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new SettingsError(`${path} must be an object`);
  return value as Fields;
}

function share(fields: Fields, name: string, path: string): number {
  const value = fields[name] ?? 0;
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw new SettingsError(`${path}${name} must be a number of 0 or more, not ${JSON.stringify(value)}`);
  }
  return value;
}

/** Reads a settings document; a missing number is 0, an unknown field is ignored. */
export function parseSettings(text: string): Settings {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new SettingsError(error instanceof Error ? error.message : "not JSON");
  }
  const root = object(document, "settings");
  const devices = object(root["devices"], "devices");
  const users = object(root["users"], "users");
  const travel = object(root["travel_type"], "travel_type");
  return {
    request_ratio: share(root, "request_ratio", ""),
    devices: { web: share(devices, "web", "devices."), mobile: share(devices, "mobile", "devices.") },
    users: { registered: share(users, "registered", "users."), new: share(users, "new", "users.") },
    travel_type: {
      t1: share(travel, "t1", "travel_type."),
      t2: share(travel, "t2", "travel_type."),
      t3: share(travel, "t3", "travel_type."),
    },
  };
}

/** The pause between two rounds of a portal, in milliseconds. */
export function roundInterval(ratio: number): number {
  return Math.max(750, 15_000 - (15_000 * ratio) / 100);
}
