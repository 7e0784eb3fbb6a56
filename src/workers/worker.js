// @ts-check
// The process of one worker. The primary forks it, tells it what to do, and awaits its end. In JavaScript, as main.js is.

import { keepCompiled } from '../compile-cache.js';

// A terminal's Ctrl-C goes to all processes, and so does what a service manager sends: the primary says when to stop.
for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => {});
keepCompiled();
const { work } = await import('./work.ts');
process.exitCode = await work();
process.exit();
