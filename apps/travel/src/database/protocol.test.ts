import { connect, type Socket } from "node:net";
import fc from "fast-check";
import type { Connection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, ROOT_PASSWORD, TestDatabase } from "./testing.ts";
import { framePayload } from "./wire/packet-stream.ts";

const database = new TestDatabase("mysql_native_password");
let connection: Connection;

beforeAll(async () => {
  await database.start();
  connection = await database.connect();
});
afterAll(async () => {
  await connection.end();
  await database.remove();
});

describe("prepared statements", () => {
  test("take and give every type in binary", async () => {
    await connection.query(
      "CREATE TABLE types (i INT, b BIGINT UNSIGNED, t TINYINT, f FLOAT, d DOUBLE, n DECIMAL(10,3), s VARCHAR(20), x TEXT, " +
        "y BLOB, a DATE, w DATETIME(3), h TIME, j JSON, e ENUM('small','large'), bits BIT(8), yr YEAR)",
    );
    const values = [
      -5,
      9007199254740993n,
      1,
      1.5,
      0.1,
      "12.345",
      "Zürich",
      "long ✈",
      Buffer.from([0, 255]),
      "2026-11-22",
    ];
    const more = ["2026-11-22 18:05:09.123", "12:34:56", '{"a": 1}', "large", 5, 2026];
    const places = [...values, ...more].map(() => "?").join(", ");
    await connection.execute(`INSERT INTO types VALUES (${places})`, [
      ...values.map((v) => (typeof v === "bigint" ? String(v) : v)),
      ...more,
    ]);
    const options = {
      sql: "SELECT * FROM types WHERE i = ?",
      dateStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
    };
    const expected = {
      i: -5,
      b: "9007199254740993",
      t: 1,
      f: 1.5,
      d: 0.1,
      n: "12.345",
      s: "Zürich",
      x: "long ✈",
      y: Buffer.from([0, 255]),
      a: "2026-11-22",
      w: "2026-11-22 18:05:09.123",
      h: "12:34:56",
      e: "large",
      bits: Buffer.from([5]),
      yr: 2026,
    };
    const [[binary]] = (await connection.execute(options, [-5])) as unknown as [Record<string, unknown>[]];
    const [[text]] = (await connection.query(options, [-5])) as unknown as [Record<string, unknown>[]];
    expect(binary).toMatchObject(expected);
    expect(text).toMatchObject(expected);
    expect(binary?.["j"]).toEqual({ a: 1 });
  });

  test("are used again with other values, NULL among them, and closed", async () => {
    const statement = await connection.prepare("SELECT city FROM cities WHERE cityId = ? OR city <=> ? LIMIT ?");
    expect((await statement.execute([1, null, 5]))[0]).toEqual([{ city: "Amsterdam" }]);
    expect((await statement.execute([2, "Zagreb", 1]))[0]).toEqual([{ city: "Andorra" }]);
    await statement.close();
    expect(await errorOf(connection.prepare("SELECT ? FROM nothing"))).toMatchObject({ errno: 1146 });
    expect(await errorOf(connection.prepare("SELECT 1; SELECT 2"))).toMatchObject({ errno: 1064 });
    const [result] = await connection.execute("INSERT INTO types (i) VALUES (?)", [77]);
    expect(result).toMatchObject({ affectedRows: 1 });
  });

  test("name a duplicate by its bound value", async () => {
    const error = await errorOf(connection.execute("INSERT INTO cities VALUES (?, ?, '0', '0')", [45, "x"]));
    expect(error).toMatchObject({ errno: 1062, message: "Duplicate entry '45' for key 'cities.PRIMARY'" });
  });
});

describe("the wire", () => {
  test("several statements only where the client asked for it", async () => {
    const many = await database.connect({ multipleStatements: true });
    const [results] = await many.query("SELECT 1 AS a; INSERT INTO types (i) VALUES (1); SELECT 2 AS b;");
    expect(results).toMatchObject([[{ a: 1 }], { affectedRows: 1 }, [{ b: 2 }]]);
    expect(await errorOf(connection.query("SELECT 1; SELECT 2"))).toMatchObject({ errno: 1064 });
    await many.end();
  });

  test("packets of more than 16 MB both ways", async () => {
    const large = "é".repeat(9_000_000);
    const [[row]] = (await connection.query("SELECT ? AS v, LENGTH(?) AS n", [large, large])) as unknown as [
      { v: string; n: number }[],
    ];
    expect(row?.n).toBe(18_000_000);
    expect(row?.v === large).toBe(true);
  });

  test("ping, reset, change of database and character sets", async () => {
    await connection.ping();
    await connection.query("SET @x = 1, NAMES latin1").catch(() => undefined);
    await connection.reset();
    await connection.query("USE information_schema");
    await connection.query("USE test");
    const latin = await database.connect({ charset: "latin1_swedish_ci" });
    expect((await latin.query("SELECT 'Zürich' AS city, @@character_set_results AS c"))[0]).toEqual([
      { city: "Zürich", c: "latin1" },
    ]);
    await latin.end();
  });

  test("a KILLed connection ends", async () => {
    const victim = await database.connect();
    const ended = new Promise((resolve) => victim.on("error", resolve));
    await connection.query(`KILL ${victim.threadId}`);
    await ended;
    expect(await errorOf(connection.query("KILL 99999"))).toMatchObject({ errno: 1094 });
  });
});

/** Sends raw bytes after the greeting and waits until the server has closed, or has nothing more to say. */
async function sendRaw(bytes: Buffer): Promise<void> {
  const socket: Socket = connect(database.port, "127.0.0.1");
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.once("data", () => resolve()));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.resume();
  socket.end(bytes);
  await closed;
}

describe("whatever a client sends", () => {
  test("before the login, the server lives on", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, framed) => {
        const payload = Buffer.from(bytes);
        await sendRaw(framed ? Buffer.concat(framePayload(payload, 1).frames) : payload);
        await connection.ping();
      }),
      { numRuns: 60 },
    );
  });

  test("as a command, the answer is an error and the next command works", async () => {
    const raw = await database.connect();
    const socket = (raw as unknown as { connection: { stream: Socket } }).connection.stream;
    await raw.query("SELECT 1");
    socket.removeAllListeners("data");
    const answer = (): Promise<Buffer> => new Promise((resolve) => socket.once("data", resolve));
    const send = async (payload: Buffer): Promise<Buffer> => {
      const reply = answer();
      socket.write(Buffer.concat(framePayload(payload, 0).frames));
      return reply;
    };
    // Commands that answer nothing, and those that end the connection, are left out.
    const silent = new Set([0x01, 0x11, 0x18, 0x19]);
    const command = fc.uint8Array({ minLength: 1, maxLength: 60 }).filter((bytes) => !silent.has(bytes[0] ?? 0));
    await fc.assert(
      fc.asyncProperty(command, async (bytes) => {
        const reply = await send(Buffer.from(bytes));
        expect(reply.length).toBeGreaterThan(4);
        expect((await send(Buffer.of(0x0e)))[4]).toBe(0);
      }),
      { numRuns: 150 },
    );
    socket.destroy();
  });

  test("as SQL, it gets an answer or an error of MySQL", async () => {
    const words =
      "SELECT FROM WHERE ( ) , . * = 'x' `c` city cities 1 2.5 ? @a @@version AND OR NOT IN BETWEEN LIKE ORDER BY GROUP LIMIT INSERT INTO VALUES SET UPDATE DELETE CREATE TABLE CASE WHEN THEN END NULL COUNT( CONCAT( DATE_ADD( INTERVAL DAY AS JOIN ON UNION -- /* */ ; \\".split(
        " ",
      );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...words), { maxLength: 14 }), async (parts) => {
        const sql = `SELECT ${parts.join(" ")}`;
        const errno = await connection.query({ sql, timeout: 10_000 }).then(
          () => 0,
          (error: { errno?: number }) => error.errno ?? -1,
        );
        expect(errno).not.toBe(-1);
      }),
      { numRuns: 400 },
    );
  });
});

test("nothing above was an error of the server's own, and the root password is in no log line", () => {
  expect(database.warnings).toEqual([]);
  expect(database.warnings.join("\n")).not.toContain(ROOT_PASSWORD);
});
