/** A proxied server believes to be at the root: redirects and links of its pages are moved to where the client sees it. */
type Headers = Readonly<Record<string, string | readonly string[]>>;

interface Answer {
  readonly code: number;
  readonly headers: Headers;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Attributes of HTML that hold a link. */
const LINK =
  /(<[a-z][^>]*?\s(?:href|src|action|background|cite|data|longdesc|poster|formaction)\s*=\s*)(["'])(\/(?!\/)[^"']*)\2/gi;
/** A page is held whole while it is rewritten; larger ones pass as they are. */
const MAX_PAGE = 4 * 1024 * 1024;

export function rewritten(answer: Answer, mountedAt: string): Answer {
  const { location } = answer.headers;
  const moved =
    typeof location === "string" ? { ...answer.headers, location: movedLink(location, mountedAt) } : answer.headers;
  const type = moved["content-type"];
  const isPage = typeof type === "string" && type.startsWith("text/html") && moved["content-encoding"] === undefined;
  if (!isPage || Number(moved["content-length"] ?? 0) > MAX_PAGE) return { ...answer, headers: moved };
  const { "content-length": _length, ...rest } = moved;
  return { code: answer.code, headers: rest, chunks: movedPage(answer.chunks, mountedAt) };
}

const movedLink = (link: string, mountedAt: string): string =>
  link.startsWith("/") && !link.startsWith("//") ? mountedAt.replace(/\/$/, "") + link : link;

async function* movedPage(chunks: AsyncIterable<Uint8Array>, mountedAt: string): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] | undefined = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (held !== undefined && size <= MAX_PAGE) held.push(chunk);
    else {
      if (held !== undefined) yield* held;
      held = undefined;
      yield chunk;
    }
  }
  if (held === undefined) return;
  const page = Buffer.concat(held).toString("latin1");
  const moved = page.replace(
    LINK,
    (_all, before: string, quote: string, link: string) => `${before}${quote}${movedLink(link, mountedAt)}${quote}`,
  );
  yield Buffer.from(moved, "latin1");
}
