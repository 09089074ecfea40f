/** What the network gets from the place where pods run: sockets made inside it, and programs beside the pods. */
import type { Socket as DatagramSocket } from "node:dgram";
import type { Server, Socket } from "node:net";

export interface PodNetworkHost {
  readonly sandbox: "namespaces" | "bare";
  /** A listening socket inside the pods' network, handed out to this process (bare: on 127.0.0.1, a free port). */
  listen(address: string, port: number): Promise<Server>;
  /** Starts a long-lived Node program of ours beside the pods (in their network), with an IPC channel. Restarted by the caller. */
  runDaemon(spec: { name: string; file: string; env?: Record<string, string> }): Promise<PodNetworkDaemon>;
}

export interface PodNetworkDaemon {
  send(message: unknown, handle?: Server | Socket | DatagramSocket): void;
  onMessage(listener: (message: unknown, handle?: Server | Socket | DatagramSocket) => void): void;
  /** The exit code, or the name of the signal. */
  readonly exited: Promise<number | string>;
  kill(): void;
}
