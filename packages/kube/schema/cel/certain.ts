/**
 * Which of the engine's complaints of a type Go's checker has too. The engine knows less of what is open (`dyn`,
 * optional values, nulls of messages), and compares no numbers of different types.
 */

const SIMPLE: ReadonlySet<string> = new Set(["int", "uint", "double", "string", "bool", "bytes"]);
const TIMES: ReadonlySet<string> = new Set(["google.protobuf.Timestamp", "google.protobuf.Duration"]);
const NUMBERS: ReadonlySet<string> = new Set(["int", "uint", "double"]);
const ORDERS: ReadonlySet<string> = new Set(["<", "<=", ">", ">="]);

const OVERLOAD = /^no such overload: (.+?) (==|!=|<=|>=|<|>|\+|-|\*|\/|%|in) (.+)$/;
const CALL = /^found no matching overload for '(?:(.+)\.)?([A-Za-z_]\w*)\((.*)\)'$/;
const UNARY = /^no such overload: [!-](\S+)$/;
const OPERAND =
  /^(?:Ternary condition must be bool|Logical operator requires bool operands|List index must be int), got '(.+)'$/;
const BRANCHES = /must have the same type, got '(.+)' and '(.+)'/;
const OPTIONAL = /^optional<(.+)>$/;

const isScalar = (type: string): boolean => SIMPLE.has(type) || TIMES.has(type);
const isObject = (type: string): boolean => type.startsWith("kubernetes.Object");

/** Fully known: scalars, and lists and maps of them. */
function isKnown(type: string): boolean {
  const list = /^list<(.+)>$/.exec(type)?.[1];
  const map = /^map<string, ?(.+)>$/.exec(type)?.[1];
  return isScalar(type) || (list !== undefined && isKnown(list)) || (map !== undefined && isKnown(map));
}

function areDifferent(left: string, operator: string, right: string): boolean {
  if (ORDERS.has(operator) && NUMBERS.has(left) && NUMBERS.has(right)) return false;
  const [a, b] = [OPTIONAL.exec(left)?.[1] ?? left, OPTIONAL.exec(right)?.[1] ?? right];
  if (isKnown(a) && isKnown(b)) return true;
  const other = left === "null" || isObject(left) ? right : left;
  const odd = other === left ? right : left;
  return (odd === "null" && SIMPLE.has(other)) || (isObject(odd) && isScalar(other));
}

/** A receiver is told without what it holds. */
const isReceiver = (type: string): boolean => isScalar(type) || type === "list" || type === "map" || isKnown(type);

/** Whether Go would refuse an expression for it; the functions there are the same. */
export function isCertain(complaint: string): boolean {
  const overload = OVERLOAD.exec(complaint);
  if (overload !== null) return areDifferent(overload[1] ?? "", overload[2] ?? "", overload[3] ?? "");
  const call = CALL.exec(complaint);
  if (call !== null) {
    const [, receiver, , args = ""] = call;
    return (receiver === undefined || isReceiver(receiver)) && (args === "" || args.split(", ").every(isScalar));
  }
  const branches = BRANCHES.exec(complaint);
  if (branches !== null) return isKnown(branches[1] ?? "") && isKnown(branches[2] ?? "");
  const type = UNARY.exec(complaint)?.[1] ?? OPERAND.exec(complaint)?.[1];
  return type !== undefined && isScalar(type);
}
