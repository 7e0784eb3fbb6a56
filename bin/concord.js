#!/usr/bin/env node
// Runs src/cli/main.ts with the Node.js that this package pins; an older one that started this file stands between the two as
// little as it can.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The first Node.js that runs the sources as they stand. */
const OLDEST_MAJOR = 24;

const entry = new URL('../src/cli/main.ts', import.meta.url);
const pinned = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));

if (Number.parseInt(process.versions.node, 10) >= OLDEST_MAJOR) {
  await import(entry.href);
} else if (existsSync(pinned)) {
  passThrough();
} else {
  process.stderr.write(
    `concord: needs Node.js ${OLDEST_MAJOR}, and this is ${process.versions.node}; run npm ci\n`,
  );
  process.exit(1);
}

function passThrough() {
  const child = spawn(pinned, [fileURLToPath(entry), ...process.argv.slice(2)], { stdio: 'inherit' });
  const isOnTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(name, () => child.kill(name));
  // What is typed on a terminal reaches both processes.
  for (const name of ['SIGINT', 'SIGQUIT']) process.on(name, () => isOnTerminal || child.kill(name));
  child.on('error', (error) => {
    process.stderr.write(`concord: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // One that is not deadly by itself.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100);
  });
}
