/** What the network needs of the sandbox; `PodNetworkHost` of the kubelet has this shape. */
import type dgram from "node:dgram";
import type net from "node:net";

export interface NetworkDaemon {
  /** A handle travels with the message; the sender's copy is closed once it has gone. */
  send(message: unknown, handle?: net.Server | net.Socket | dgram.Socket): void;
  onMessage(listener: (message: unknown) => void): void;
  readonly exited: Promise<number | string>;
  kill(): void;
}

export interface NetworkHost {
  readonly sandbox: "namespaces" | "bare";
  listen(address: string, port: number): Promise<net.Server>;
  runDaemon(spec: { name: string; file: string; env?: Record<string, string> }): Promise<NetworkDaemon>;
}
