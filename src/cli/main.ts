// The `concord` command: what is typed in, what is printed, exit codes out.
// What each means stands in docs/cli.md.

import { keepCompiled } from '../compile-cache.js';

keepCompiled();
const { run } = await import('./run.ts');
process.exitCode = await run(process.argv.slice(2));
process.exit();
