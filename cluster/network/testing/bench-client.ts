/** A client in the pods' network that is measured: told over IPC what to do, answers with what it saw. */
import http from "node:http";
import net from "node:net";

export type BenchTask =
  /** Keeps so many connections busy: answers a second. */
  | {
      readonly do: "rate";
      readonly host: string;
      readonly port: number;
      readonly connections: number;
      readonly ms: number;
    }
  /** One request after the other, each on a connection of its own: milliseconds of each, to the answer's end. */
  | { readonly do: "new"; readonly host: string; readonly port: number; readonly count: number }
  /** Opens connections that answer once and then say nothing: how many stand. They stay until this process ends. */
  | { readonly do: "hold"; readonly host: string; readonly port: number; readonly count: number };

const get = (host: string, port: number, agent: http.Agent | false): Promise<void> =>
  new Promise((resolve, reject) => {
    http.get({ host, port, agent }, (res) => res.resume().on("end", resolve)).on("error", reject);
  });

async function rate({ host, port, connections, ms }: Extract<BenchTask, { do: "rate" }>): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const end = Date.now() + ms;
  let answers = 0;
  const loop = async (): Promise<void> => {
    while (Date.now() < end) {
      await get(host, port, agent);
      answers++;
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
  agent.destroy();
  return (answers * 1000) / ms;
}

async function onNewConnections({ host, port, count }: Extract<BenchTask, { do: "new" }>): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const begin = performance.now();
    await get(host, port, false);
    times.push(performance.now() - begin);
  }
  return times;
}

const held: net.Socket[] = [];

async function hold({ host, port, count }: Extract<BenchTask, { do: "hold" }>): Promise<number> {
  for (let n = 0; n < count; n++) {
    const socket = net.connect({ host, port });
    held.push(socket);
    await new Promise((resolve, reject) => {
      // The echo server greets: the connection stands from end to end.
      socket.once("data", resolve).once("error", reject);
    });
  }
  return held.filter((socket) => !socket.destroyed).length;
}

function run(task: BenchTask): Promise<unknown> {
  switch (task.do) {
    case "rate":
      return rate(task);
    case "new":
      return onNewConnections(task);
    case "hold":
      return hold(task);
  }
}

process.on("message", ({ id, ...task }: BenchTask & { id: number }) => {
  run(task as BenchTask).then(
    (result) => process.send?.({ id, result }),
    (error: Error) => process.send?.({ id, error: error.message }),
  );
});
process.on("disconnect", () => process.exit(0));
