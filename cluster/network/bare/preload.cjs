"use strict";
/**
 * Loaded into every Node process of a bare pod (`--require`): makes listen, connect and name lookup behave as
 * in the pod's own network, by asking the dataplane's unix socket. Kept small: it is paid at every start.
 */
const podIP = process.env.TRAVELOPS_POD_IP;
const dataplane = process.env.TRAVELOPS_DATAPLANE;
if (podIP !== undefined && podIP !== "" && dataplane !== undefined && dataplane !== "") install();

function install() {
  const net = require("node:net");
  const lookupPlain = require("node:dns").lookup;
  const namespace = process.env.TRAVELOPS_POD_NAMESPACE ?? "default";
  /** 10.a.b.c has 127.a.b.c to itself: no two pods of a machine share it. */
  const ownLoopback = process.platform === "linux" ? podIP.replace(/^\d+/, "127") : "127.0.0.1";
  const connectPlain = net.Socket.prototype.connect;
  const listenPlain = net.Server.prototype.listen;
  const addressPlain = net.Server.prototype.address;
  const REAL = Symbol("travelops.real");
  const LOCAL = new Set([
    "localhost",
    "127.0.0.1",
    "::1",
    "ip6-localhost",
    "0.0.0.0",
    "::",
    require("node:os").hostname(),
  ]);
  const ANY = new Set(["", "0.0.0.0", "::", podIP]);

  // One line of JSON a question and an answer, over one connection a process, opened when first needed.
  let session;
  const waiting = new Map();
  let nextId = 1;
  function ask(request, done) {
    const id = nextId++;
    waiting.set(id, done);
    session ??= openSession();
    if (waiting.size === 1) session.ref();
    session.write(`${JSON.stringify({ id, ...request })}\n`);
  }
  function openSession() {
    const socket = new net.Socket();
    let text = "";
    const lost = () => {
      if (session !== socket) return;
      session = undefined;
      const asked = [...waiting.values()];
      waiting.clear();
      for (const done of asked) done({ code: "ECONNREFUSED", lost: true });
      reconnect();
    };
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop();
      for (const line of lines) {
        const answer = JSON.parse(line);
        const done = waiting.get(answer.id);
        waiting.delete(answer.id);
        if (waiting.size === 0) socket.unref();
        if (done !== undefined) done(answer);
      }
    });
    socket.on("error", lost);
    socket.on("close", lost);
    connectPlain.call(socket, { path: dataplane });
    socket.write(`${JSON.stringify({ pod: podIP, namespace })}\n`);
    for (const request of registered.values()) socket.write(`${JSON.stringify({ id: 0, ...request })}\n`);
    if (waiting.size === 0) socket.unref();
    return socket;
  }

  // What this process listens on; a dataplane that was restarted is told again.
  const registered = new Map();
  const RECONNECT_MS = 200;
  const reconnect = () =>
    void (registered.size > 0 && setTimeout(() => (session ??= openSession()), RECONNECT_MS).unref());

  function failure(code, host, port) {
    const unresolved = code === "ENOTFOUND" || code === "EAI_AGAIN";
    const error = new Error(unresolved ? `getaddrinfo ${code} ${host}` : `connect ${code} ${host}:${port}`);
    const os = require("node:os");
    return Object.assign(
      error,
      unresolved
        ? { errno: code === "ENOTFOUND" ? -3008 : -3001, code, syscall: "getaddrinfo", hostname: host }
        : { errno: -(os.constants.errno[code] ?? 0), code, syscall: "connect", address: host, port },
    );
  }

  net.Socket.prototype.connect = function connect(...args) {
    const normalized = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
    const [options, callback] = normalized;
    const { path, port } = options;
    const host = options.host || "localhost";
    if ((path !== undefined && path !== null) || !isOurs(host)) return connectPlain.apply(this, args);
    if (callback !== null && callback !== undefined) this.once("connect", callback);
    this.connecting = true;
    const request = isOwn(host) ? { own: Number(port) } : { connect: [host, Number(port)] };
    ask(request, (answer) => {
      if (this.destroyed) return;
      this.connecting = false;
      const go = (to, extra) =>
        connectPlain.call(this, {
          ...options,
          autoSelectFamily: false,
          localAddress: undefined,
          lookup: undefined,
          ...extra,
          host: to.host,
          port: to.port,
        });
      if (answer.real !== undefined) return go(answer.real);
      if (answer.outside)
        return connectPlain.call(this, {
          ...options,
          ...(answer.host === undefined ? {} : { host: answer.host }),
          ...(answer.held ? { lookup: heldLookup(Number(port)) } : {}),
        });
      // A native program of the pod may hold the port without our knowing.
      if (request.own !== undefined) return go({ host: ownLoopback, port });
      this.connecting = true;
      process.nextTick(() => this.destroy(failure(answer.code, host, port)));
    });
    return this;
  };

  /** Everything but this machine's own loopback: the dataplane knows the cluster's names, addresses and policies. */
  function isOurs(host) {
    return isOwn(host) || !host.startsWith("127.");
  }

  /** The addresses of an outside name that NetworkPolicies let the pod reach. */
  function heldLookup(port) {
    return (hostname, options, callback) =>
      lookupPlain(hostname, { ...options, all: true }, (error, found) => {
        if (error) return callback(error);
        const open = [];
        let left = found.length;
        for (const each of found)
          ask({ connect: [each.address, port] }, (answer) => {
            if (answer.outside) open.push(each);
            if (--left > 0) return;
            if (open.length === 0) callback(failure("ETIMEDOUT", hostname, port));
            else if (options.all) callback(null, open);
            else callback(null, open[0].address, open[0].family);
          });
      });
  }

  /** What a pod's own /etc/hosts answers. */
  function isOwn(host) {
    return LOCAL.has(host) || host === podIP || host === process.env.HOSTNAME;
  }

  net.Server.prototype.listen = function listen(...args) {
    const [options] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
    const callback = args.findLast((a) => typeof a === "function");
    const given = args[0];
    const isPort =
      given === undefined ||
      typeof given === "function" ||
      typeof options.port === "number" ||
      typeof options.port === "string";
    const host = options.host ?? "";
    if (
      !isPort ||
      options.path ||
      options.fd >= 0 ||
      given?._handle ||
      given?.handle ||
      !(ANY.has(host) || LOCAL.has(host))
    )
      return listenPlain.apply(this, args);
    if (callback !== undefined) this.once("listening", callback);
    bind(this, { ...options, port: Number(options.port ?? 0) }, LOCAL.has(host) && !ANY.has(host));
    return this;
  };

  /** Tries the port on the pod's own loopback address, else a free one; `listening` waits for the dataplane to know. */
  function bind(server, options, loopback) {
    const places = [
      { host: ownLoopback, port: options.port },
      { host: ownLoopback, port: 0 },
      { host: "127.0.0.1", port: 0 },
    ];
    const emit = server.emit;
    const { backlog, exclusive, signal } = options;
    const attempt = (index) =>
      listenPlain.call(server, {
        backlog,
        exclusive,
        signal: index === 0 ? signal : undefined,
        ...places[index],
      });
    let index = 0;
    server.emit = function (event, ...rest) {
      if (event === "error" && index < places.length - 1 && /^(EADDRINUSE|EACCES|EADDRNOTAVAIL)$/.test(rest[0]?.code)) {
        index++;
        attempt(index);
        return true;
      }
      if (event !== "listening" && event !== "error") return emit.call(server, event, ...rest);
      server.emit = emit;
      if (event === "error") return emit.call(server, event, ...rest);
      announce(server, options, loopback, () => emit.call(server, "listening"));
      return true;
    };
    attempt(index);
  }

  function announce(server, options, loopback, listening) {
    const real = addressPlain.call(server);
    if (real === null) return;
    const port = options.port === 0 ? real.port : options.port;
    server[REAL] = {
      address: options.host || "::",
      family: options.host?.includes(".") ? "IPv4" : "IPv6",
      port,
    };
    const where = { host: real.address, port: real.port };
    const request = { listen: port, real: where, loopback };
    ask(request, (answer) => {
      if (answer.code === "EADDRINUSE") {
        const error = Object.assign(
          new Error(`listen EADDRINUSE: address already in use ${options.host || ":::"}:${port}`),
          { code: "EADDRINUSE", errno: -98, syscall: "listen", address: options.host || "::", port },
        );
        server.close();
        return server.emit("error", error);
      }
      registered.set(server, request);
      if (answer.lost) reconnect();
      server.once("close", () => {
        registered.delete(server);
        delete server[REAL];
        if (session !== undefined) ask({ close: port, real: where }, () => {});
      });
      listening();
    });
  }

  net.Server.prototype.address = function address() {
    return this[REAL] !== undefined && this._handle !== null ? this[REAL] : addressPlain.call(this);
  };

  patchDns();

  function patchDns() {
    const module_ = require("node:dns");
    const noData = (code, syscall, hostname) =>
      Object.assign(new Error(`${syscall} ${code} ${hostname}`), { code, errno: code, syscall, hostname });

    function lookup(hostname, options, callback) {
      if (typeof options === "function") [options, callback] = [{}, options];
      const wanted = typeof options === "number" ? { family: options } : (options ?? {});
      if (hostname === process.env.HOSTNAME) hostname = podIP;
      if (typeof hostname !== "string" || hostname === "" || net.isIP(hostname) !== 0 || LOCAL.has(hostname))
        return lookupPlain.call(module_, hostname, options, callback);
      ask({ dns: hostname, type: "A" }, (answer) => {
        const first = answer.records?.[0];
        if (answer.kind === "denied") return callback(failure("EAI_AGAIN", hostname));
        if (answer.kind === "outside" || answer.lost) return lookupPlain.call(module_, hostname, options, callback);
        if (first?.cname !== undefined) return lookupPlain.call(module_, first.cname, options, callback);
        if (first === undefined || wanted.family === 6 || wanted.family === "IPv6")
          return callback(failure("ENOTFOUND", hostname));
        if (wanted.all)
          callback(
            null,
            answer.records.map((address) => ({ address, family: 4 })),
          );
        else callback(null, first, 4);
      });
      return {};
    }
    module_.lookup = lookup;
    const promises = module_.promises;
    promises.lookup = (hostname, options) =>
      new Promise((resolve, reject) => {
        lookup(hostname, options ?? {}, (error, address, family) => {
          if (error) reject(error);
          else resolve(typeof options === "object" && options?.all ? address : { address, family });
        });
      });

    Object.defineProperty(lookup, Symbol.for("nodejs.util.promisify.custom"), { value: promises.lookup });

    const METHODS = {
      resolve4: "A",
      resolve6: "AAAA",
      resolveSrv: "SRV",
      resolveCname: "CNAME",
      resolveTxt: "TXT",
      reverse: "PTR",
    };
    const shape = (type, record) =>
      type === "SRV"
        ? { name: record.target, port: record.port, priority: record.priority, weight: record.weight }
        : type === "TXT"
          ? [String(record)]
          : record;
    function query(name, type, plain, callback) {
      const asked =
        type === "PTR" && net.isIPv4(name)
          ? `${name.split(".").reverse().join(".")}.in-addr.arpa.`
          : `${name.replace(/\.$/, "")}.`;
      ask({ dns: asked, type }, (answer) => {
        if (answer.kind === "outside" || answer.lost || answer.records?.[0]?.cname !== undefined) return plain();
        const syscall = `query${type === "PTR" ? "Ptr" : type[0] + type.slice(1).toLowerCase()}`;
        if (answer.kind === "denied") return callback(noData("ETIMEOUT", syscall, name));
        if (answer.kind === "nxdomain") return callback(noData("ENOTFOUND", syscall, name));
        if (answer.kind !== "records" || answer.records.length === 0) return callback(noData("ENODATA", syscall, name));
        callback(
          null,
          answer.records.map((record) => shape(type, record)),
        );
      });
    }
    const wrapCallback = (owner, method, type) => {
      const plain = owner[method];
      owner[method] = function (name, ...rest) {
        const callback = rest.at(-1);
        const options = rest.length > 1 ? rest[0] : undefined;
        const kind = type ?? (typeof options === "string" ? options : "A");
        if (!Object.values(METHODS).includes(kind) || options?.ttl) return plain.call(this, name, ...rest);
        query(name, kind, () => plain.call(this, name, ...rest), callback);
        return {};
      };
    };
    const wrapPromise = (owner, method, type) => {
      const plain = owner[method];
      owner[method] = function (name, options) {
        const kind = type ?? (typeof options === "string" ? options : "A");
        if (!Object.values(METHODS).includes(kind) || options?.ttl) return plain.call(this, name, options);
        return new Promise((resolve, reject) => {
          query(
            name,
            kind,
            () => plain.call(this, name, options).then(resolve, reject),
            (error, records) => (error ? reject(error) : resolve(records)),
          );
        });
      };
    };
    for (const [owner, wrap] of [
      [module_, wrapCallback],
      [module_.Resolver.prototype, wrapCallback],
      [promises, wrapPromise],
      [promises.Resolver.prototype, wrapPromise],
    ]) {
      for (const [method, type] of Object.entries(METHODS)) wrap(owner, method, type);
      wrap(owner, "resolve", undefined);
    }
    require("node:module").syncBuiltinESMExports();
  }
}
