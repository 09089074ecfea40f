/** Keeps `connections` busy against a URL for a while and tells how many answers a second came. */
import http from "node:http";

interface Task {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly ms: number;
}

function run({ host, port, connections, ms }: Task): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const end = Date.now() + ms;
  let answers = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      http.get({ host, port, agent }, (res) => res.resume().on("end", resolve)).on("error", reject);
    });
  const loop = async (): Promise<void> => {
    while (Date.now() < end) {
      await one();
      answers++;
    }
  };
  return Promise.all(Array.from({ length: connections }, loop)).then(() => {
    agent.destroy();
    return (answers * 1000) / ms;
  });
}

process.on("message", (task: Task) => {
  run(task).then(
    (result) => process.send?.({ id: task.id, result }),
    (error: Error) => process.send?.({ id: task.id, error: error.message }),
  );
});
process.on("disconnect", () => process.exit(0));
