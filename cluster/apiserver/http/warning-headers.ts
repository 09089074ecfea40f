/** Warnings as headers of a reply, within the bounds upstream keeps. */

const ALL_OF_THEM = 4 * 1024;
const ONE_OF_MANY = 256;
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

const lengthOf = (text: string): number => Array.from(text).length;

/** Each is cut short where they are too much together, and what is too much even so is left out. */
function cutShort(texts: readonly string[]): readonly string[] {
  if (texts.reduce((sum, text) => sum + lengthOf(text), 0) <= ALL_OF_THEM) return texts;
  let written = 0;
  return texts.flatMap((text) => {
    if (written >= ALL_OF_THEM) return [];
    const short = Array.from(text).slice(0, ONE_OF_MANY).join("");
    written += lengthOf(short);
    return [short];
  });
}

/** `299 - "text"`, with the text as RFC 7234 quotes it, in the bytes of its UTF-8. Lines cannot stand in a header. */
export const warningHeaders = (texts: readonly string[]): string[] =>
  cutShort(texts.filter((text) => text !== "" && !CONTROL.test(text))).map((text) =>
    Buffer.from(`299 - "${text.replace(/[\\"]/g, "\\$&")}"`, "utf8").toString("latin1"),
  );
