/** Takes over upgraded connections: exec, attach, port-forward. */
import type { Duplex } from "node:stream";
import { badRequest, notImplemented, serviceUnavailable, type StatusError } from "@travelops/kube";
import type { Logger } from "@travelops/kube/api/logger.ts";
import type { NodeAccess } from "../api-server.ts";
import type { Upgrade } from "../server-options.ts";
import { isWebSocket, offeredProtocols } from "./accept-socket.ts";
import { CHANNEL_PROTOCOLS, servePortForward, TUNNEL_PROTOCOL } from "./port-forward.ts";
import { isSpdy, serveSpdy, spdyProtocol } from "./spdy-upgrade.ts";
import { REMOTE_COMMAND_PROTOCOLS, serveRemoteCommand } from "./remote-command.ts";

export interface UpgradeOptions {
  /** undefined until the kubelet runs. */
  readonly nodes: () => NodeAccess | undefined;
  readonly log: Logger;
}

/** The hook for `ApiServerOptions.upgrade`; authorization has been done. */
export function createUpgrade({ nodes, log }: UpgradeOptions): Upgrade {
  return (info, _user, req, socket, head) => {
    const refuse = (error: StatusError): void => refuseUpgrade(socket, error);
    const access = nodes();
    if (access === undefined)
      return refuse(serviceUnavailable("no node serves streams yet: the kubelet has not registered"));
    const query = new URL(req.url ?? "/", "https://server").searchParams;
    if (isSpdy(req)) {
      const { protocol, speaks } = spdyProtocol(req, info.subresource);
      if (protocol === undefined) return refuse(unknownProtocol(req.headers["x-stream-protocol-version"], speaks));
      serveSpdy({ info, query, protocol, nodes: access }, socket, head).catch(logged(log, info.subresource));
      return;
    }
    if (!isWebSocket(req))
      return refuse(
        badRequest(
          `unable to upgrade: only WebSocket and SPDY/3.1 are supported for ${info.subresource}, and the client asked for ${req.headers.upgrade ?? "nothing"}`,
        ),
      );
    const speaks =
      info.subresource === "portforward" ? [TUNNEL_PROTOCOL, ...CHANNEL_PROTOCOLS] : REMOTE_COMMAND_PROTOCOLS;
    const protocol = offeredProtocols(req).find((one) => speaks.some((own) => own === one));
    if (protocol === undefined) return refuse(unknownProtocol(req.headers["sec-websocket-protocol"], speaks));
    const session = { info, query, protocol, nodes: access };
    const serve = (): Promise<void> | undefined => {
      switch (info.subresource) {
        case "exec":
        case "attach":
          return serveRemoteCommand(session, req, socket, head);
        case "portforward":
          return servePortForward(session, req, socket, head);
        default:
          return undefined;
      }
    };
    const serving = serve();
    if (serving === undefined) refuse(notImplemented(`an upgrade of ${info.resource}/${info.subresource}`));
    else serving.catch(logged(log, info.subresource));
  };
}

const logged =
  (log: Logger, subresource: string) =>
  (error: unknown): void =>
    log.debug("a stream ended with an error", { subresource, err: error });

const unknownProtocol = (offered: string | readonly string[] | undefined, speaks: readonly string[]): StatusError =>
  badRequest(
    `unable to upgrade: the client offers ${offered === undefined ? "no protocol" : String(offered)}, the server speaks ${speaks.join(", ")}`,
  );

function refuseUpgrade(socket: Duplex, error: StatusError): void {
  const body = JSON.stringify(error.status);
  socket.end(
    `HTTP/1.1 ${error.status.code} ${error.status.reason ?? "Error"}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
