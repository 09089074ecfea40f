/** What a node's own server (upstream's kubelet on port 10250) answers, served here: health, pods, logs of containers. */
import { serviceUnavailable } from "@travelops/kube";
import type { ApiCall } from "../request/api-call.ts";
import { queryBoolean, queryInteger } from "../request/list-options.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { read } from "../registry/printers/printer.ts";
import type { ServerCore } from "../server-options.ts";

const plain = (code: number, body: string): Reply => ({
  kind: "raw",
  code,
  contentType: "text/plain; charset=utf-8",
  body,
});

export async function nodeEndpoint(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  path: string,
): Promise<Reply> {
  const [first = "", namespace = "", pod = "", container = ""] = path.split("/").filter((part) => part !== "");
  const node = info.name.split(":")[0] ?? "";
  switch (first) {
    case "healthz":
      return plain(200, "ok");
    case "pods": {
      const items = core.store
        .list("pods.")
        .items.filter(({ object }) => read(object, "spec", "nodeName") === node)
        .map(({ object }) => object);
      return objectReply({ kind: "PodList", apiVersion: "v1", metadata: {}, items });
    }
    case "containerLogs": {
      if (core.nodeAccess === undefined) throw serviceUnavailable("no node serves logs yet");
      const tailLines = queryInteger(call.query, "tailLines");
      const request = {
        namespace,
        pod,
        container,
        follow: queryBoolean(call.query, "follow") ?? false,
        previous: queryBoolean(call.query, "previous") ?? false,
        timestamps: queryBoolean(call.query, "timestamps") ?? false,
        ...(tailLines === undefined ? {} : { tailLines }),
      };
      return { kind: "stream", contentType: "text/plain", chunks: await core.nodeAccess.logs(request, call.signal) };
    }
    default:
      return plain(404, "404 page not found\n");
  }
}
