// The process of one worker. The primary forks it, tells it what to do, and awaits its end.

import { keepCompiled } from '../compile-cache.ts';

// A terminal's Ctrl-C goes to all processes, and so does what a service manager sends: the primary says when to stop.
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => {});
keepCompiled();
const { work } = await import('./work.ts');
process.exitCode = await work();
process.exit();
