import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, TestDatabase } from "./testing.ts";

const database = new TestDatabase("mysql_native_password");
let connection: Connection;

beforeAll(async () => {
  await database.start();
  connection = await database.connect({ multipleStatements: false });
});
afterAll(async () => {
  await connection.end();
  await database.remove();
});

async function rows(sql: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  const [result] = await connection.query(sql, values);
  return result as RowDataPacket[];
}

async function value(sql: string): Promise<unknown> {
  const [row] = await rows(`SELECT ${sql} AS v`);
  return row?.["v"];
}

describe("the demo's data", () => {
  test("has 45 cities and what they offer, at the demo's prices", async () => {
    expect(await rows("SELECT * FROM cities WHERE cityId IN (1, 45)")).toEqual([
      { cityId: 1, city: "Amsterdam", lat: "52.3500", lng: "4.9166" },
      { cityId: 45, city: "Zagreb", lat: "45.8000", lng: "16.0000" },
    ]);
    const counts = await Promise.all(
      ["cities", "cars", "flights", "hotels", "insurances"].map((table) => value(`(SELECT count(*) FROM ${table})`)),
    );
    expect(counts).toEqual([45, 90, 135, 90, 90]);
    const join = "SELECT c2.hotel, c2.price FROM cities c1, hotels c2 WHERE c1.cityId = c2.cityId AND c1.city = ?";
    expect(await rows(join, ["Paris"])).toEqual([
      { hotel: "Grand Hotel Paris", price: "635" },
      { hotel: "Little Paris Hotel", price: "134" },
    ]);
  });

  test("describes its columns as MySQL does", async () => {
    const [, fields] = await connection.query(
      "SELECT cityId, city, price FROM cars JOIN cities USING (cityId) LIMIT 0",
    );
    const types = fields.map(({ columnType, characterSet, table }) => [columnType, characterSet, table]);
    expect(types).toEqual([
      [3, 63, "cars"],
      [252, 255, "cities"],
      [246, 63, "cars"],
    ]);
  });
});

describe("expressions", () => {
  test.each([
    ["7 / 2", "3.5000"],
    ["7 DIV 2", 3],
    ["-7 MOD 3", -1],
    ["5.5 % 2", "1.5"],
    ["1 XOR 1", 0],
    ["6 ^ 3", 5],
    ["!0 + 1", 2],
    ["NULL <=> NULL", 1],
    ["1 || 0", 1],
    ["'a' 'b'", "ab"],
    ["CONCAT('x', 1, 2.50)", "x12.5"],
    ["CONCAT('x', NULL)", null],
    ["CONCAT_WS('-', 'a', NULL, 'b')", "a-b"],
    ["IF(1 > 2, 'y', 'n')", "n"],
    ["IFNULL(NULL, 5)", 5],
    ["'Paris' LIKE 'pa%'", 1],
    ["'50%' LIKE '50\\%'", 1],
    ["'50x' LIKE '50\\%'", 0],
    ["'Paris' REGEXP '^P.*s$'", 1],
    ["'Paris' NOT REGEXP 'x'", 1],
    ["SUBSTRING('Reykjavik' FROM 2 FOR 3)", "eyk"],
    ["SUBSTRING_INDEX('a.b.c', '.', -2)", "b.c"],
    ["TRIM(LEADING 'x' FROM 'xxay')", "ay"],
    ["LPAD('7', 3, '0')", "007"],
    ["LOCATE('b', 'abc')", 2],
    ["HEX('ab')", "6162"],
    ["x'6162'", Buffer.from("ab")],
    ["ROUND(2.567, 2)", "2.57"],
    ["ROUND(-2.5)", "-3"],
    ["CAST('12' AS UNSIGNED)", 12],
    ["CAST(1.005 AS DECIMAL(10,2))", "1.01"],
    ["DATE_FORMAT('2026-11-22 18:05:09', '%W %D %M %Y %H:%i:%s')", "Sunday 22nd November 2026 18:05:09"],
    ["DATE_FORMAT(DATE_ADD('2026-01-31', INTERVAL 1 MONTH), '%Y-%m-%d')", "2026-02-28"],
    ["DATEDIFF('2026-03-01', '2026-02-27')", 2],
    ["TIMESTAMPDIFF(MONTH, '2026-01-31', '2026-03-01')", 1],
    ["YEAR('2026-11-22')", 2026],
    ["EXTRACT(MONTH FROM '2026-11-22')", 11],
    ["UNIX_TIMESTAMP('1970-01-02')", 86400],
    ["DATE_FORMAT(STR_TO_DATE('22.11.2026', '%d.%m.%Y'), '%y%m%d')", "261122"],
    ["CASE 3 WHEN 1 THEN 'one' WHEN 3 THEN 'three' END", "three"],
    ["GREATEST(1, 7, 3)", 7],
    ["SHA2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"],
    ["JSON_EXTRACT('{\"a\": [1, 2]}', '$.a')", "[1,2]"],
    ["FIELD('b', 'a', 'b')", 2],
    ["@@version_comment LIKE '%SQLite%'", 1],
    ["DATABASE()", "test"],
    ["/*!80000 1 + */ 1", 2],
    ["/*!99999 1 + */ 1", 1],
  ])("%s is %j", async (expression, expected) => {
    expect(await value(expression)).toEqual(expected);
  });

  test("names a column by its own text", async () => {
    const [row] = await rows("SELECT count(*), 1+1, 'x', city FROM cities");
    expect(Object.keys(row ?? {})).toEqual(["count(*)", "1+1", "x", "city"]);
  });

  test("aggregates, groups, windows and subqueries", async () => {
    const grouped = await rows(
      "SELECT LEFT(city, 1) AS initial, COUNT(*) AS n, GROUP_CONCAT(DISTINCT city ORDER BY city DESC SEPARATOR '|') AS list " +
        "FROM cities WHERE cityId < 9 GROUP BY initial HAVING n > 1 ORDER BY n DESC, initial LIMIT 1, 1",
    );
    expect(grouped).toEqual([{ initial: "A", n: 3, list: "Athens|Andorra|Amsterdam" }]);
    expect(await rows("SELECT AVG(price) AS a, SUM(price) AS s FROM cars WHERE cityId = 1")).toEqual([
      { a: "653.5000", s: "1307" },
    ]);
    const ranked =
      "SELECT carId, RANK() OVER (PARTITION BY cityId ORDER BY price DESC) AS r FROM cars WHERE cityId = 2";
    expect(await rows(ranked)).toEqual([
      { carId: 3, r: 1 },
      { carId: 4, r: 2 },
    ]);
    const recursive =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT SUM(i) AS s FROM n";
    expect(await rows(recursive)).toEqual([{ s: "10" }]);
    expect(
      await rows(
        "SELECT city FROM cities c WHERE EXISTS (SELECT 1 FROM cars WHERE cars.cityId = c.cityId AND price = 302)",
      ),
    ).toEqual([{ city: "Amsterdam" }]);
  });
});

describe("changing rows and tables", () => {
  test("AUTO_INCREMENT, defaults, IGNORE, ON DUPLICATE KEY UPDATE and REPLACE", async () => {
    await connection.query(
      "CREATE TABLE `bookings` (id INT UNSIGNED NOT NULL AUTO_INCREMENT, code VARCHAR(10) UNIQUE, n INT DEFAULT 7, " +
        "made TIMESTAMP DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (id), KEY by_n (n)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
    );
    const [first] = await connection.query("INSERT INTO bookings (code) VALUES ('a'), ('b')");
    expect(first).toMatchObject({ affectedRows: 2, insertId: 1 });
    const [twice] = await connection.query("INSERT IGNORE INTO bookings (code, n) VALUES ('a', 1), ('c', DEFAULT)");
    expect(twice).toMatchObject({ affectedRows: 1 });
    const upsert = "INSERT INTO bookings (code, n) VALUES ('a', 5) ON DUPLICATE KEY UPDATE n = n + VALUES(n)";
    expect((await connection.query(upsert))[0]).toMatchObject({ affectedRows: 2 });
    expect((await connection.query("REPLACE INTO bookings (id, code, n) VALUES (2, 'z', 0)"))[0]).toMatchObject({
      affectedRows: 2,
    });
    expect(await rows("SELECT code, n FROM bookings ORDER BY code")).toEqual([
      { code: "a", n: 12 },
      { code: "c", n: 7 },
      { code: "z", n: 0 },
    ]);
    const [limited] = await connection.query("UPDATE bookings SET n = n * 2 ORDER BY n DESC LIMIT 1");
    expect(limited).toMatchObject({ affectedRows: 1 });
    expect(await value("(SELECT MAX(n) FROM bookings)")).toBe(24);
    expect(
      (await connection.query("DELETE b FROM bookings b JOIN cities c ON c.cityId = b.id WHERE b.code = 'z'"))[0],
    ).toMatchObject({ affectedRows: 1 });
  });

  test("ALTER TABLE keeps the rows", async () => {
    await connection.query("CREATE TABLE shapes (id INT PRIMARY KEY, side INT)");
    await connection.query("INSERT INTO shapes VALUES (1, 3)");
    await connection.query(
      "ALTER TABLE shapes ADD COLUMN name VARCHAR(20) NOT NULL DEFAULT 'square' AFTER id, CHANGE side edge BIGINT, ADD INDEX (name)",
    );
    expect(await rows("SELECT * FROM shapes")).toEqual([{ id: 1, name: "square", edge: 3 }]);
    const [shown] = await rows("SHOW CREATE TABLE shapes");
    const sql = String(shown?.["Create Table"]);
    expect(sql).toContain("`edge` bigint DEFAULT NULL");
    expect(sql).toContain("KEY `name` (`name`)");
    await connection.query("ALTER TABLE shapes DROP COLUMN edge, RENAME TO figures");
    expect(await rows("SELECT * FROM figures")).toEqual([{ id: 1, name: "square" }]);
    await connection.query("CREATE OR REPLACE VIEW named AS SELECT id, UPPER(name) AS name FROM figures");
    expect(await rows("SELECT * FROM named")).toEqual([{ id: 1, name: "SQUARE" }]);
    await connection.query("DROP VIEW named");
    await connection.query("DROP TABLE figures");
  });

  test("transactions, savepoints and autocommit", async () => {
    await connection.query("CREATE TABLE t (i INT)");
    await connection.query("START TRANSACTION");
    await connection.query("INSERT INTO t VALUES (1)");
    await connection.query("SAVEPOINT s");
    await connection.query("INSERT INTO t VALUES (2)");
    await connection.query("ROLLBACK TO SAVEPOINT s");
    await connection.query("COMMIT");
    await connection.query("SET autocommit = 0");
    await connection.query("INSERT INTO t VALUES (3)");
    await connection.query("ROLLBACK");
    await connection.query("SET autocommit = ON");
    expect(await rows("SELECT i FROM t")).toEqual([{ i: 1 }]);
  });

  test("a writer waits for another's transaction", async () => {
    await connection.query("CREATE TABLE counters (i INT)");
    await connection.query("INSERT INTO counters VALUES (0)");
    const other = await database.connect();
    await other.query("BEGIN");
    await other.query("UPDATE counters SET i = i + 1");
    const waiting = connection.query("UPDATE counters SET i = i + 1");
    await other.query("COMMIT");
    await waiting;
    expect(await value("(SELECT i FROM counters)")).toBe(2);
    await other.query("BEGIN");
    await other.query("UPDATE counters SET i = 9");
    await connection.query("SET innodb_lock_wait_timeout = 0");
    expect(await errorOf(connection.query("UPDATE counters SET i = 8"))).toMatchObject({ errno: 1205 });
    await connection.query("SET innodb_lock_wait_timeout = DEFAULT");
    await other.end();
  });

  test("foreign keys hold", async () => {
    expect(await errorOf(connection.query("INSERT INTO cars VALUES (999, 77, 'x', 1)"))).toMatchObject({
      errno: 1452,
      state: "23000",
    });
    expect(await errorOf(connection.query("DELETE FROM cities WHERE cityId = 1"))).toMatchObject({ errno: 1451 });
    expect(
      await errorOf(connection.query("CREATE TABLE f (a INT, FOREIGN KEY (a) REFERENCES nowhere (x))")),
    ).toMatchObject({ errno: 1824 });
  });
});

describe("errors carry MySQL's numbers and words", () => {
  test.each([
    ["SELEC 1", 1064, "42000", "near 'SELEC 1' at line 1"],
    ["SELECT 1 +\n FROM cities", 1064, "42000", "near 'FROM cities' at line 2"],
    ["SELECT 1; SELECT 2", 1064, "42000", "near 'SELECT 2'"],
    ["SELECT nope FROM cities", 1054, "42S22", "Unknown column 'nope' in 'field list'"],
    ["SELECT city FROM cities WHERE x.y = 1", 1054, "42S22", "Unknown column 'x.y' in 'where clause'"],
    ["SELECT cityId FROM cities, cars", 1052, "23000", "Column 'cityId' in field list is ambiguous"],
    ["SELECT * FROM nothing", 1146, "42S02", "Table 'test.nothing' doesn't exist"],
    ["SELECT * FROM nowhere.t", 1049, "42000", "Unknown database 'nowhere'"],
    ["USE nowhere", 1049, "42000", "Unknown database 'nowhere'"],
    ["SELECT * FROM cities c, cars c", 1066, "42000", "Not unique table/alias: 'c'"],
    ["INSERT INTO cities VALUES (1, 'x', '0', '0')", 1062, "23000", "Duplicate entry '1' for key 'cities.PRIMARY'"],
    ["INSERT INTO cities VALUES (1, 'x')", 1136, "21S01", "Column count doesn't match value count at row 1"],
    ["INSERT INTO cities (city) VALUES ('x')", 1364, "HY000", "Field 'cityId' doesn't have a default value"],
    ["INSERT INTO cities (cityId) VALUES (NULL)", 1048, "23000", "Column 'cityId' cannot be null"],
    [
      "INSERT INTO cities (cityId) VALUES ('abc')",
      1366,
      "HY000",
      "Incorrect integer value for column 'cityId' at row 1",
    ],
    [
      "INSERT INTO cities (cityId) VALUES (9999999999)",
      1264,
      "22003",
      "Out of range value for column 'cityId' at row 1",
    ],
    ["CREATE TABLE cities (a INT)", 1050, "42S01", "Table 'cities' already exists"],
    ["DROP TABLE nothing", 1051, "42S02", "Unknown table 'test.nothing'"],
    ["CREATE DATABASE test", 1007, "HY000", "Can't create database 'test'; database exists"],
    ["SELECT nosuch(1)", 1305, "42000", "FUNCTION test.nosuch does not exist"],
    ["SELECT LEFT('a')", 1582, "42000", "Incorrect parameter count in the call to native function 'LEFT'"],
    ["SELECT @@nope", 1193, "HY000", "Unknown system variable 'nope'"],
    ["SET version = 1", 1238, "HY000", "Variable 'version' is a read only variable"],
    ["SELECT city FROM cities WHERE COUNT(*) > 1", 1111, "HY000", "Invalid use of group function"],
    ["SELECT 'a' REGEXP '('", 3685, "HY000", "Illegal argument to a regular expression"],
    ["SELECT SLEEP(1)", 1235, "42000", "SLEEP()"],
    ["CALL p()", 1235, "42000", "CALL"],
    ["CREATE TRIGGER x BEFORE INSERT ON cities FOR EACH ROW SET @a = 1", 1235, "42000", "CREATE TRIGGER"],
    ["SELECT * FROM cities INTO OUTFILE '/tmp/x'", 1235, "42000", "INTO OUTFILE"],
    ["EXPLAIN SELECT 1", 1235, "42000", "EXPLAIN"],
    ["", 1065, "42000", "Query was empty"],
  ])("%s", async (sql, errno, state, message) => {
    const error = await errorOf(connection.query({ sql }));
    expect(error).toMatchObject({ errno, state });
    expect(error.message).toContain(message);
  });

  test("the connection goes on after an error, and SHOW WARNINGS tells it again", async () => {
    await errorOf(connection.query("SELECT * FROM nothing"));
    expect(await rows("SHOW WARNINGS")).toEqual([
      { Level: "Error", Code: 1146, Message: "Table 'test.nothing' doesn't exist" },
    ]);
  });
});

describe("SHOW and information_schema", () => {
  test("databases, tables, columns, variables", async () => {
    expect(await rows("SHOW DATABASES LIKE 't%'")).toEqual([{ Database: "test" }]);
    expect(await rows("SHOW FULL TABLES LIKE 'c_ties'")).toEqual([
      { Tables_in_test: "cities", Table_type: "BASE TABLE" },
    ]);
    expect(await rows("SHOW COLUMNS FROM cars WHERE Field = 'price'")).toEqual([
      { Field: "price", Type: "decimal(10,0)", Null: "YES", Key: "", Default: null, Extra: "" },
    ]);
    expect(await rows("SHOW VARIABLES WHERE Variable_name IN ('autocommit')")).toEqual([
      { Variable_name: "autocommit", Value: "ON" },
    ]);
    expect(await rows("SHOW GRANTS")).toEqual([
      { "Grants for root@localhost": "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION" },
    ]);
    expect((await rows("SHOW PROCESSLIST")).some((row) => row["Info"] === "SHOW PROCESSLIST")).toBe(true);
  });

  test("information_schema can be joined and filtered like any table", async () => {
    const sql =
      "SELECT t.TABLE_NAME AS name, COUNT(*) AS columns FROM information_schema.tables t JOIN information_schema.columns c " +
      "ON c.table_schema = t.table_schema AND c.table_name = t.table_name WHERE t.table_schema = 'test' AND t.table_name LIKE 'c%s' " +
      "GROUP BY t.TABLE_NAME ORDER BY name";
    expect(await rows(sql)).toEqual([
      { name: "cars", columns: 4 },
      { name: "cities", columns: 4 },
      { name: "counters", columns: 1 },
    ]);
    expect(await rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()")).toEqual([
      { SCHEMA_NAME: "test" },
    ]);
  });
});

test("nothing above was an error of the server's own", () => {
  expect(database.warnings).toEqual([]);
});
