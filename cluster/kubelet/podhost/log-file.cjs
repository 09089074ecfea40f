"use strict";
/** A container's log in the CRI's format (`time stream P|F text`), rotated by size; only podhost writes it. */
const fs = require("node:fs");

/** As containerd: a longer line is written in parts, marked P. */
const MAX_LINE = 16 * 1024;

/** Upstream's nanosecond stamps; made strictly increasing, so that `--since-time` can cut between two lines. */
let lastStamp = 0n;
const bootOffset = BigInt(Date.now()) * 1000000n - process.hrtime.bigint();

function stamp() {
  let now = bootOffset + process.hrtime.bigint();
  // A stepped clock: follow it rather than drift apart.
  const wall = BigInt(Date.now()) * 1000000n;
  if (now - wall > 5000000000n || wall - now > 5000000000n) now = wall;
  else if (now <= lastStamp) now = lastStamp + 1n;
  lastStamp = now;
  const seconds = new Date(Number(now / 1000000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(now % 1000000000n).padStart(9, "0")}Z`;
}

class LogFile {
  constructor({ file, maxBytes = 10 * 1024 * 1024, maxFiles = 5 }) {
    this.file = file;
    this.maxBytes = maxBytes;
    this.maxFiles = maxFiles;
    this.size = 0;
    this.fd = -1;
    this.rest = { stdout: null, stderr: null };
    this.failed = false;
    this.open();
  }

  open() {
    try {
      this.fd = fs.openSync(this.file, "a", 0o640);
      this.size = fs.fstatSync(this.fd).size;
    } catch {
      this.failed = true;
    }
  }

  write(stream, chunk) {
    const parts = [];
    let buffer = this.rest[stream] === null ? chunk : Buffer.concat([this.rest[stream], chunk]);
    for (;;) {
      const end = buffer.indexOf(10);
      if (end >= 0 && end <= MAX_LINE) {
        parts.push(Buffer.from(`${stamp()} ${stream} F `), buffer.subarray(0, end + 1));
        buffer = buffer.subarray(end + 1);
      } else if (buffer.length > MAX_LINE) {
        parts.push(Buffer.from(`${stamp()} ${stream} P `), buffer.subarray(0, MAX_LINE), NEWLINE);
        buffer = buffer.subarray(MAX_LINE);
      } else break;
    }
    this.rest[stream] = buffer.length === 0 ? null : Buffer.from(buffer);
    if (parts.length > 0) this.append(Buffer.concat(parts));
  }

  /** The stream has ended: what is left without a newline is written as a part, so that readers add none. */
  end(stream) {
    const rest = this.rest[stream];
    this.rest[stream] = null;
    if (rest !== null) this.append(Buffer.concat([Buffer.from(`${stamp()} ${stream} P `), rest, NEWLINE]));
  }

  append(data) {
    if (this.failed) return;
    try {
      // A full disk loses log lines, never the container.
      fs.writeSync(this.fd, data);
      this.size += data.length;
      if (this.size >= this.maxBytes) this.rotate();
    } catch {
      // The next line tries again.
    }
  }

  rotate() {
    fs.closeSync(this.fd);
    for (let i = this.maxFiles - 1; i >= 1; i--) {
      const from = i === 1 ? this.file : `${this.file}.${i - 1}`;
      try {
        fs.renameSync(from, `${this.file}.${i}`);
      } catch {
        // Not there yet.
      }
    }
    this.open();
  }

  close() {
    this.end("stdout");
    this.end("stderr");
    if (this.fd >= 0) fs.closeSync(this.fd);
    this.fd = -1;
    this.failed = true;
  }
}

const NEWLINE = Buffer.from("\n");

module.exports = { LogFile };
