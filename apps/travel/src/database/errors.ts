/** An error as a MySQL client sees it: number, SQLSTATE and text. */
export class MySqlError extends Error {
  override name = "MySqlError";
  readonly code: number;
  readonly state: string;

  constructor(code: number, state: string, message: string) {
    super(message);
    this.code = code;
    this.state = state;
  }
}

/** The errors of MySQL that this server gives, in MySQL's numbers and words. */
export const errors = {
  accessDenied: (user: string, host: string, password: boolean) =>
    new MySqlError(
      1045,
      "28000",
      `Access denied for user '${user}'@'${host}' (using password: ${password ? "YES" : "NO"})`,
    ),
  databaseDenied: (user: string, host: string, database: string) =>
    new MySqlError(1044, "42000", `Access denied for user '${user}'@'${host}' to database '${database}'`),
  tableDenied: (privilege: string, user: string, host: string, table: string) =>
    new MySqlError(1142, "42000", `${privilege} command denied to user '${user}'@'${host}' for table '${table}'`),
  privilegeNeeded: (privilege: string) =>
    new MySqlError(
      1227,
      "42000",
      `Access denied; you need (at least one of) the ${privilege} privilege(s) for this operation`,
    ),
  noDatabase: () => new MySqlError(1046, "3D000", "No database selected"),
  unknownCommand: () => new MySqlError(1047, "08S01", "Unknown command"),
  columnNull: (column: string) => new MySqlError(1048, "23000", `Column '${column}' cannot be null`),
  unknownDatabase: (name: string) => new MySqlError(1049, "42000", `Unknown database '${name}'`),
  tableExists: (name: string) => new MySqlError(1050, "42S01", `Table '${name}' already exists`),
  unknownTable: (name: string) => new MySqlError(1051, "42S02", `Unknown table '${name}'`),
  ambiguousColumn: (name: string, clause: string) =>
    new MySqlError(1052, "23000", `Column '${name}' in ${clause} is ambiguous`),
  shutdown: () => new MySqlError(1053, "08S01", "Server shutdown in progress"),
  unknownColumn: (name: string, clause: string) =>
    new MySqlError(1054, "42S22", `Unknown column '${name}' in '${clause}'`),
  duplicateColumn: (name: string) => new MySqlError(1060, "42S21", `Duplicate column name '${name}'`),
  duplicateKeyName: (name: string) => new MySqlError(1061, "42000", `Duplicate key name '${name}'`),
  duplicateEntry: (value: string, key: string) =>
    new MySqlError(1062, "23000", `Duplicate entry '${value}' for key '${key}'`),
  syntax: (near: string, line: number) =>
    new MySqlError(
      1064,
      "42000",
      "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version " +
        `for the right syntax to use near '${near}' at line ${line}`,
    ),
  emptyQuery: () => new MySqlError(1065, "42000", "Query was empty"),
  notUniqueTable: (name: string) => new MySqlError(1066, "42000", `Not unique table/alias: '${name}'`),
  keyColumnMissing: (name: string) => new MySqlError(1072, "42000", `Key column '${name}' doesn't exist in table`),
  multiplePrimaryKeys: () => new MySqlError(1068, "42000", "Multiple primary key defined"),
  wrongAutoKey: () =>
    new MySqlError(
      1075,
      "42000",
      "Incorrect table definition; there can be only one auto column and it must be defined as a key",
    ),
  cannotDrop: (name: string) => new MySqlError(1091, "42000", `Can't DROP '${name}'; check that column/key exists`),
  databaseExists: (name: string) => new MySqlError(1007, "HY000", `Can't create database '${name}'; database exists`),
  dropMissingDatabase: (name: string) =>
    new MySqlError(1008, "HY000", `Can't drop database '${name}'; database doesn't exist`),
  diskFull: () => new MySqlError(1021, "HY000", "Disk full; the statement was rolled back. Free some space."),
  tooManyConnections: () => new MySqlError(1040, "08004", "Too many connections"),
  badHandshake: () => new MySqlError(1043, "08S01", "Bad handshake"),
  unknownThread: (id: number) => new MySqlError(1094, "HY000", `Unknown thread id: ${id}`),
  groupFunction: () => new MySqlError(1111, "HY000", "Invalid use of group function"),
  columnCount: () => new MySqlError(1136, "21S01", "Column count doesn't match value count at row 1"),
  noSuchUserGrant: (user: string, host: string) =>
    new MySqlError(1141, "42000", `There is no such grant defined for user '${user}' on host '${host}'`),
  noSuchTable: (database: string, table: string) =>
    new MySqlError(1146, "42S02", `Table '${database}.${table}' doesn't exist`),
  packetTooLarge: () => new MySqlError(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes"),
  packetsOutOfOrder: () => new MySqlError(1156, "08S01", "Got packets out of order"),
  malformedPacket: () => new MySqlError(1835, "HY000", "Malformed communication packet."),
  keyMissing: (key: string, table: string) =>
    new MySqlError(1176, "42000", `Key '${key}' doesn't exist in table '${table}'`),
  unknownVariable: (name: string) => new MySqlError(1193, "HY000", `Unknown system variable '${name}'`),
  lockWait: () => new MySqlError(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction"),
  deadlock: () => new MySqlError(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction"),
  notSupported: (what: string) => new MySqlError(1235, "42000", `This version of MySQL doesn't yet support '${what}'`),
  wrongVariableValue: (name: string, value: string) =>
    new MySqlError(1231, "42000", `Variable '${name}' can't be set to the value of '${value}'`),
  readOnlyVariable: (name: string) => new MySqlError(1238, "HY000", `Variable '${name}' is a read only variable`),
  unknownStatement: (id: number, command: string) =>
    new MySqlError(1243, "HY000", `Unknown prepared statement handler (${id}) given to ${command}`),
  outOfRange: (column: string) => new MySqlError(1264, "22003", `Out of range value for column '${column}' at row 1`),
  functionMissing: (name: string) => new MySqlError(1305, "42000", `FUNCTION ${name} does not exist`),
  functionArguments: (name: string) =>
    new MySqlError(1582, "42000", `Incorrect parameter count in the call to native function '${name}'`),
  fieldNoDefault: (column: string) => new MySqlError(1364, "HY000", `Field '${column}' doesn't have a default value`),
  incorrectValue: (type: string, column: string) =>
    new MySqlError(1366, "HY000", `Incorrect ${type} value for column '${column}' at row 1`),
  cannotUser: (operation: string, accounts: string) =>
    new MySqlError(1396, "HY000", `Operation ${operation} failed for ${accounts}`),
  dataTooLong: (column: string) => new MySqlError(1406, "22001", `Data too long for column '${column}' at row 1`),
  parentRow: () =>
    new MySqlError(1451, "23000", "Cannot delete or update a parent row: a foreign key constraint fails"),
  childRow: () => new MySqlError(1452, "23000", "Cannot add or update a child row: a foreign key constraint fails"),
  readOnlyTransaction: () => new MySqlError(1792, "25006", "Cannot execute statement in a READ ONLY transaction."),
  referenceMissing: (table: string) => new MySqlError(1824, "HY000", `Failed to open the referenced table '${table}'`),
  referenceNotUnique: (key: string, table: string) =>
    new MySqlError(6125, "HY000", `Missing unique key for constraint '${key}' in the referenced table '${table}'`),
  checkViolated: (name: string) => new MySqlError(3819, "HY000", `Check constraint '${name}' is violated.`),
  currentPasswordNeeded: () =>
    new MySqlError(3892, "HY000", "Incorrect current password. Specify the correct password which has to be replaced."),
  pluginNotLoaded: (name: string) => new MySqlError(1524, "HY000", `Plugin '${name}' is not loaded`),
  invalidRegexp: (message: string) =>
    new MySqlError(3685, "HY000", `Illegal argument to a regular expression: ${message}`),
  internal: (message: string) => new MySqlError(1105, "HY000", message),
} as const;
