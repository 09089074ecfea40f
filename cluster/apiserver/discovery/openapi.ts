import { notImplemented } from "@travelops/kube";
import type { ApiCall } from "../request/api-call.ts";
import type { Reply } from "../request/reply.ts";
import type { ServerCore } from "../server-options.ts";
export function handleOpenApi(_core: ServerCore, _call: ApiCall, path: string): Reply {
  throw notImplemented(path);
}
