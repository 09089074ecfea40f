"use strict";
/** Stands in for the dataplane in tests: connects inside the pods' network and hands the connection out. */
const net = require("node:net");

process.on("message", ({ id, ip, port }) => {
  const socket = net.connect({ host: ip, port, allowHalfOpen: true });
  socket.once("error", (error) => process.send({ id, error: error.message }));
  socket.once("connect", () => {
    socket.removeAllListeners("error");
    process.send({ id }, socket);
  });
});
