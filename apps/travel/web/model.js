/** What stands for a portal that control cannot reach. */
const NOWHERE = "Atlantis";

function counts(requests) {
  return {
    total: requests?.total ?? 0,
    devices: { web: requests?.devices?.web ?? 0, mobile: requests?.devices?.mobile ?? 0 },
    users: { registered: requests?.users?.registered ?? 0, new: requests?.users?.new ?? 0 },
    travel_type: {
      t1: requests?.travel_type?.t1 ?? 0,
      t2: requests?.travel_type?.t2 ?? 0,
      t3: requests?.travel_type?.t3 ?? 0,
    },
  };
}

/** Portals in the order they were first seen keep their colour for as long as the page lives. */
export function createModel() {
  const known = new Map();
  let last;
  let rate = 0;

  function portalOf(status) {
    const before = known.get(status.name);
    const lost = status.country === NOWHERE;
    const portal = {
      name: status.name,
      colour: before?.colour ?? known.size % 6,
      lost,
      failing: status.status?.error === true,
      // A lost portal keeps what was last known of it.
      country: lost ? (before?.country ?? "") : status.country,
      coordinates: lost ? before?.coordinates : status.coordinates,
      settings: lost ? before?.settings : status.settings,
      requests: lost ? (before?.requests ?? counts()) : counts(status.status?.requests),
      cities: lost ? (before?.cities ?? []) : (status.status?.cities ?? []),
    };
    known.set(status.name, portal);
    return portal;
  }

  function citiesOf(portals) {
    const cities = new Map();
    for (const portal of portals) {
      for (const { city, coordinates, requests } of portal.cities) {
        const entry = cities.get(city) ?? { name: city, coordinates, total: 0, shares: [] };
        const own = counts(requests);
        entry.total += own.total;
        entry.shares.push({ portal, requests: own });
        cities.set(city, entry);
      }
    }
    return [...cities.values()].sort((a, b) => b.total - a.total || a.name.localeCompare(b.name));
  }

  /** What is new in a city since the last time: one entry a portal. */
  function arrivals(cities) {
    const fresh = [];
    for (const city of cities) {
      for (const { portal, requests } of city.shares) {
        const before = last?.perCity.get(`${portal.name} ${city.name}`) ?? 0;
        if (last && requests.total > before) fresh.push({ city, portal });
      }
    }
    return fresh;
  }

  return {
    /** Takes a new answer of control. */
    update(statuses, time) {
      const portals = statuses.map(portalOf);
      const cities = citiesOf(portals);
      const total = portals.reduce((sum, portal) => sum + portal.requests.total, 0);
      const fresh = arrivals(cities);
      if (last && time > last.time) {
        const now = Math.max(0, total - last.total) / ((time - last.time) / 1000);
        rate = last.measured ? rate * 0.6 + now * 0.4 : now;
      }
      const perCity = new Map();
      for (const city of cities) {
        for (const { portal, requests } of city.shares) perCity.set(`${portal.name} ${city.name}`, requests.total);
      }
      last = { perCity, total, time, measured: last !== undefined };
      return { portals, cities, total, fresh, rate };
    },
  };
}
