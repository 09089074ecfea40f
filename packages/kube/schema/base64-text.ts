/** Strict base64, as byte fields of the API want it. */

const isDigit = (code: number): boolean =>
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x30 && code <= 0x39) ||
  code === 0x2b ||
  code === 0x2f;

const VALID = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The offset of the first byte that is no base64; undefined for valid text. Line breaks are allowed. */
export function base64Error(text: string): number | undefined {
  if (VALID.test(text)) return undefined;
  let group = 0;
  let at = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x0a || code === 0x0d) continue;
    if (code === 0x3d) return paddingError(text, at, group);
    if (!isDigit(code)) return at;
    group = (group + 1) % 4;
  }
  return group === 0 ? undefined : at - group;
}

/** `at` holds the first `=`, after `group` digits of its group of four. */
function paddingError(text: string, at: number, group: number): number | undefined {
  if (group < 2) return at;
  let rest = at + 1;
  const skip = (): void => {
    while (text[rest] === "\n" || text[rest] === "\r") rest++;
  };
  if (group === 2) {
    skip();
    if (rest >= text.length) return text.length;
    if (text[rest] !== "=") return rest;
    rest++;
  }
  skip();
  return rest < text.length ? rest : undefined;
}
