/**
 * Where in a template a rendered object stands. Helm tells the template only, and orders objects anew, so the
 * place is found by what the object and the template share; unsure, it is no place at all.
 */
import { LineCounter, parseAllDocuments } from "yaml";

export interface Named {
  readonly kind: string;
  readonly metadata: { readonly name?: string | undefined };
}

/** 1-based line at which the object's document starts. */
export function lineOfObject(template: string, object: Named): number | undefined {
  const ofKind = documentsOf(template).filter((each) => agrees(each.kind, object.kind));
  const named = ofKind.filter((each) => each.names.includes(object.metadata.name ?? ""));
  const found = named.length > 0 ? named : ofKind.filter((each) => each.names.some(isTemplated));
  return found.length === 1 ? found[0]?.line : undefined;
}

/** 1-based line of the YAML fault in what `helm template --debug` printed, as the template has that line. */
export function lineOfFault(rendered: string, source: string, template: string): number | undefined {
  const block = blockOf(rendered, source);
  const text = faultyLine(block);
  if (text === undefined) return undefined;
  const same = template.split("\n").flatMap((line, index) => (line.trim() === text ? [index + 1] : []));
  return same.length === 1 ? same[0] : undefined;
}

interface TemplateDocument {
  readonly line: number;
  readonly kind: string;
  readonly names: readonly string[];
}

const isTemplated = (text: string): boolean => text.includes("{{");
const agrees = (written: string, kind: string): boolean => written === kind || isTemplated(written);
const unquoted = (text: string): string => text.trim().replace(/^(["'])(.*)\1$/, "$2");

function documentsOf(template: string): TemplateDocument[] {
  const documents: TemplateDocument[] = [];
  let lines: { text: string; line: number }[] = [];
  const end = (): void => {
    const first = lines.find(({ text }) => /^[A-Za-z]/.test(text));
    const kind = lines.flatMap(({ text }) => /^kind:\s*(.+)$/.exec(text)?.[1] ?? [])[0];
    const names = lines.flatMap(({ text }) => /^ {1,4}name:\s*(.+)$/.exec(text)?.[1] ?? []).map(unquoted);
    if (first !== undefined && kind !== undefined) documents.push({ line: first.line, kind: unquoted(kind), names });
    lines = [];
  };
  for (const [index, text] of template.split("\n").entries()) {
    if (/^---(\s|$)/.test(text)) end();
    else lines.push({ text, line: index + 1 });
  }
  end();
  return documents;
}

function blockOf(rendered: string, source: string): string {
  const lines = rendered.split("\n");
  const start = lines.indexOf(`# Source: ${source}`);
  if (start < 0) return "";
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith("# Source: "));
  return lines.slice(start, length < 0 ? undefined : start + 1 + length).join("\n");
}

/** The parser may notice at the end of the text what began on the last line that says something. */
function faultyLine(block: string): string | undefined {
  const counter = new LineCounter();
  const error = parseAllDocuments(block, { lineCounter: counter }).flatMap((each) => each.errors)[0];
  if (error === undefined) return undefined;
  const upTo = block.split("\n").slice(0, counter.linePos(error.pos[0]).line);
  return upTo.findLast((line) => line.trim() !== "" && !/^(---|#)/.test(line))?.trim();
}
