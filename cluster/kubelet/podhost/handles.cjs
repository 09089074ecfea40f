"use strict";

/**
 * Closes our copy of a listening socket that was handed on. Node keeps it open after a send, and then both processes
 * accept: a connection that lands with us would never be answered. (Sockets are closed by Node itself.)
 */
function letGo(handle) {
  // Servers and UDP sockets have it; `node:dgram` is not loaded to tell.
  if (typeof handle?.close === "function") handle.close();
}

/** Until a listening socket has gone on, a connection that lands here is told so: its client would wait for ever. */
function refuse(handle) {
  if (typeof handle?.listen === "function") handle.on("connection", (socket) => socket.resetAndDestroy());
}

module.exports = { letGo, refuse };
