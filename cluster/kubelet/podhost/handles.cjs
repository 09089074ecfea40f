"use strict";
const net = require("node:net");

/**
 * Closes our copy of a listening socket that was handed on. Node keeps it open after a send, and then both processes
 * accept: a connection that lands with us would never be answered. (Sockets are closed by Node itself.)
 */
function letGo(handle) {
  if (handle instanceof net.Server) handle.close();
}

module.exports = { letGo };
