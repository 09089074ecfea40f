import type { ServerCore } from "../server-options.ts";
export function customResources(_core: ServerCore): () => void {
  return () => {};
}
