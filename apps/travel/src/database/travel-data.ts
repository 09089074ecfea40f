/** The capitals one can travel to, in the order of their ids: name, latitude, longitude. */
const CITIES = `
Amsterdam 52.3500 4.9166
Andorra 42.5000 1.5165
Athens 37.9833 23.7333
Belgrade 44.8186 20.4680
Berlin 52.5218 13.4015
Bern 46.9167 7.4670
Bratislava 48.1500 17.1170
Brussels 50.8333 4.3333
Bucharest 44.4334 26.0999
Budapest 47.5000 19.0833
Chisinau 47.0050 28.8577
Copenhagen 55.6786 12.5635
Dublin 53.3331 -6.2489
Helsinki 60.1756 24.9341
Kiev 50.4334 30.5166
Lisbon 38.7227 -9.1449
Ljubljana 46.0553 14.5150
London 51.5000 -0.1167
Luxembourg 49.6117 6.1300
Madrid 40.4000 -3.6834
Mariehamn 60.0970 19.9490
Minsk 53.9000 27.5666
Monaco 43.7396 7.4069
Moscow 55.7522 37.6155
Nicosia 35.1667 33.3666
Oslo 59.9167 10.7500
Paris 48.8667 2.3333
Podgorica 42.4660 19.2663
Prague 50.0833 14.4660
Reykjavik 64.1500 -21.9500
Riga 56.9500 24.1000
Rome 41.8960 12.4833
San-Marino 43.9172 12.4667
Sarajevo 43.8500 18.3830
Skopje 42.0000 21.4335
Sofia 42.6833 23.3167
Stockholm 59.3508 18.0973
Tallinn 59.4339 24.7280
Tirana 41.3275 19.8189
Vaduz 47.1337 9.5167
Valletta 35.8997 14.5147
Vienna 48.2000 16.3666
Vilnius 54.6834 25.3166
Warsaw 52.2500 21.0000
Zagreb 45.8000 16.0000`;

export interface City {
  readonly id: number;
  readonly name: string;
  readonly latitude: string;
  readonly longitude: string;
}

/** The 45 cities. */
export function cities(): City[] {
  return CITIES.trim()
    .split("\n")
    .map((line, index) => {
      const [name = "", latitude = "", longitude = ""] = line.split(" ");
      return { id: index + 1, name: name.replaceAll("-", " "), latitude, longitude };
    });
}

interface Goods {
  readonly table: string;
  readonly key: string;
  readonly label: string;
  /** What each city offers: a name, and a price by the city's id. */
  readonly offers: readonly { readonly name: (city: string) => string; readonly price: (id: number) => number }[];
}

const GOODS: readonly Goods[] = [
  {
    table: "cars",
    key: "carId",
    label: "carModel",
    offers: [
      { name: () => "Sports Car", price: (id) => 1000 + 5 * id },
      { name: () => "Economy Car", price: (id) => 300 + 2 * id },
    ],
  },
  {
    table: "flights",
    key: "flightId",
    label: "airline",
    offers: [
      { name: () => "Red Airlines", price: (id) => 1000 + id },
      { name: () => "Blue Airlines", price: (id) => 350 + id },
      { name: () => "Green Airlines", price: (id) => 300 + id },
    ],
  },
  {
    table: "hotels",
    key: "hotelId",
    label: "hotel",
    offers: [
      { name: (city) => `Grand Hotel ${city}`, price: (id) => 500 + 5 * id },
      { name: (city) => `Little ${city} Hotel`, price: (id) => 80 + 2 * id },
    ],
  },
  {
    table: "insurances",
    key: "insuranceId",
    label: "company",
    offers: [
      { name: () => "Yellow Insurances", price: (id) => 307 + id },
      { name: () => "Blue Insurances", price: (id) => 56 + id },
    ],
  },
];

/** The statements that make and fill the demo's tables in the current database. */
export function travelStatements(): string[] {
  const all = cities();
  const cityRows = all.map((city) => `(${city.id}, '${city.name}', '${city.latitude}', '${city.longitude}')`);
  return [
    "CREATE TABLE cities (cityId INT NOT NULL, city TEXT, lat TEXT, lng TEXT, PRIMARY KEY (cityId))",
    `INSERT INTO cities VALUES ${cityRows.join(", ")}`,
    ...GOODS.flatMap((goods) => {
      const columns = `${goods.key} INT NOT NULL, cityId INT, ${goods.label} TEXT, price DECIMAL`;
      const keys = `PRIMARY KEY (${goods.key}), FOREIGN KEY (cityId) REFERENCES cities(cityId)`;
      let id = 0;
      const rows = all.flatMap((city) =>
        goods.offers.map((offer) => {
          id++;
          return `(${id}, ${city.id}, '${offer.name(city.name)}', ${offer.price(city.id)})`;
        }),
      );
      return [
        `CREATE TABLE ${goods.table} (${columns}, ${keys})`,
        `INSERT INTO ${goods.table} VALUES ${rows.join(", ")}`,
      ];
    }),
  ];
}
