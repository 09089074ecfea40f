import { mkdirSync, writeFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, ROOT_PASSWORD, TestDatabase } from "./testing.ts";

describe.each(["mysql_native_password", "caching_sha2_password"])("accounts with %s", (plugin) => {
  const database = new TestDatabase(plugin);
  let root: Connection;

  const login = async (user: string, password: string): Promise<string> => {
    const connection = await database.connect({ user, password, database: undefined });
    const [rows] = await connection.query<RowDataPacket[]>("SELECT CURRENT_USER() AS u");
    await connection.end();
    return String(rows[0]?.["u"]);
  };

  beforeAll(async () => {
    await database.start();
    root = await database.connect();
  });
  afterAll(async () => {
    await root.end();
    await database.remove();
  });

  test("a wrong password, and an unknown user, are refused alike", async () => {
    const wrong = await errorOf(login("root", "wrong"));
    expect(wrong).toMatchObject({
      errno: 1045,
      state: "28000",
      message: "Access denied for user 'root'@'127.0.0.1' (using password: YES)",
    });
    expect(await errorOf(login("nobody", "x"))).toMatchObject({ errno: 1045 });
    expect(await errorOf(login("root", ""))).toMatchObject({
      errno: 1045,
      message: expect.stringContaining("password: NO") as string,
    });
  });

  test("a second login is as good as the first (fast authentication)", async () => {
    expect(await login("root", ROOT_PASSWORD)).toBe("root@localhost");
    expect(await login("root", ROOT_PASSWORD)).toBe("root@localhost");
  });

  test("two passwords count until the old one is discarded", async () => {
    await root.query("CREATE USER app IDENTIFIED BY 'one'");
    await root.query("ALTER USER app IDENTIFIED BY 'two' RETAIN CURRENT PASSWORD");
    expect(await login("app", "one")).toBe("app@%");
    expect(await login("app", "two")).toBe("app@%");
    await root.query("ALTER USER app IDENTIFIED BY 'three' RETAIN CURRENT PASSWORD");
    expect(await errorOf(login("app", "one"))).toMatchObject({ errno: 1045 });
    expect(await login("app", "two")).toBe("app@%");
    await root.query("ALTER USER app DISCARD OLD PASSWORD");
    expect(await errorOf(login("app", "two"))).toMatchObject({ errno: 1045 });
    expect(await login("app", "three")).toBe("app@%");
    await root.query("SET PASSWORD FOR app = 'four'");
    expect(await errorOf(login("app", "three"))).toMatchObject({ errno: 1045 });
    expect(await login("app", "four")).toBe("app@%");
  });

  test("an account changes its own password, naming the one it has", async () => {
    await root.query("CREATE USER self IDENTIFIED BY 'old'");
    const own = await database.connect({ user: "self", password: "old", database: undefined });
    expect(await errorOf(own.query("ALTER USER USER() IDENTIFIED BY 'new' REPLACE 'guess'"))).toMatchObject({
      errno: 3892,
    });
    await own.query("ALTER USER USER() IDENTIFIED BY 'new' REPLACE 'old'");
    expect(await login("self", "new")).toBe("self@%");
    expect(await errorOf(own.query("ALTER USER root IDENTIFIED BY 'mine'"))).toMatchObject({ errno: 1227 });
    await own.end();
  });

  test("privileges count per database and at once", async () => {
    await root.query("CREATE DATABASE shop");
    await root.query("CREATE TABLE shop.items (id INT)");
    await root.query("CREATE USER clerk IDENTIFIED BY 'pw'");
    await root.query("GRANT SELECT, INSERT ON shop.* TO clerk");
    const clerk = await database.connect({ user: "clerk", password: "pw", database: "shop" });
    await clerk.query("INSERT INTO items VALUES (1)");
    expect(await errorOf(clerk.query("DELETE FROM items"))).toMatchObject({
      errno: 1142,
      message: "DELETE command denied to user 'clerk'@'127.0.0.1' for table 'items'",
    });
    expect(await errorOf(clerk.query("SELECT * FROM test.cities"))).toMatchObject({ errno: 1142 });
    expect(await errorOf(clerk.query("USE test"))).toMatchObject({
      errno: 1044,
      message: "Access denied for user 'clerk'@'127.0.0.1' to database 'test'",
    });
    expect(await errorOf(clerk.query("CREATE USER x"))).toMatchObject({ errno: 1227 });
    const [shown] = await clerk.query("SHOW DATABASES LIKE '%s%t'");
    expect(shown).toEqual([]);
    await root.query("REVOKE INSERT ON shop.* FROM clerk");
    expect(await errorOf(clerk.query("INSERT INTO items VALUES (2)"))).toMatchObject({ errno: 1142 });
    const [grants] = await clerk.query("SHOW GRANTS");
    expect((grants as object[]).flatMap(Object.values)).toEqual([
      "GRANT USAGE ON *.* TO `clerk`@`%`",
      "GRANT SELECT ON `shop`.* TO `clerk`@`%`",
    ]);
    await root.query("DROP USER clerk");
    expect(await errorOf(clerk.query("SELECT * FROM items"))).toMatchObject({ errno: 1045 });
    clerk.destroy();
    expect(await errorOf(root.query("DROP USER clerk"))).toMatchObject({
      errno: 1396,
      message: "Operation DROP USER failed for 'clerk'@'%'",
    });
  });

  test("COM_CHANGE_USER logs in anew", async () => {
    await root.query("CREATE USER other IDENTIFIED BY 'pw'");
    const connection = await database.connect({ database: undefined });
    await connection.query("SET @kept = 1");
    await connection.changeUser({ user: "other", password: "pw" });
    const [rows] = await connection.query("SELECT CURRENT_USER() AS u, @kept AS kept");
    expect(rows).toEqual([{ u: "other@%", kept: null }]);
    await connection.end();
  });

  test("accounts, data and passwords survive a restart; no password is on the disk in clear", async () => {
    await root.query("CREATE USER keeper IDENTIFIED BY 'a-very-visible-password'");
    await root.query("CREATE TABLE test.kept (i INT)");
    await root.query("INSERT INTO test.kept VALUES (42)");
    await root.end();
    await database.stop();
    const files = readdirSync(database.directory, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const bytes = Buffer.concat(files.map((entry) => readFileSync(join(entry.parentPath, entry.name))));
    expect(bytes.includes("a-very-visible-password")).toBe(false);
    await database.start({ MYSQL_ROOT_PASSWORD: "another, which does not count any more" });
    root = await database.connect();
    expect((await root.query("SELECT i FROM kept"))[0]).toEqual([{ i: 42 }]);
    expect(await login("keeper", "a-very-visible-password")).toBe("keeper@%");
    expect(database.warnings).toEqual([]);
  });
});

describe("the first start", () => {
  test("makes MYSQL_DATABASE for MYSQL_USER, with passwords from files", async () => {
    const database = new TestDatabase();
    const secrets = join(database.directory, "secrets");
    mkdirSync(secrets);
    writeFileSync(join(secrets, "user"), "from-a-file\n");
    await database.start({ MYSQL_DATABASE: "shop", MYSQL_USER: "app", MYSQL_PASSWORD_FILE: join(secrets, "user") });
    const connection = await database.connect({ user: "app", password: "from-a-file", database: "shop" });
    await connection.query("CREATE TABLE mine (i INT)");
    expect(await errorOf(connection.query("SELECT * FROM test.cities"))).toMatchObject({ errno: 1142 });
    await connection.end();
    await database.remove();
  });

  test("asks for a root password, and refuses a directory in use", async () => {
    const database = new TestDatabase();
    await expect(database.start({ MYSQL_ROOT_PASSWORD: "" })).rejects.toThrow(/set MYSQL_ROOT_PASSWORD/);
    await database.start();
    const second = new TestDatabase();
    Object.assign(second, { directory: database.directory });
    await expect(second.start()).rejects.toThrow(/another server is using it/);
    await database.remove();
  });
});
