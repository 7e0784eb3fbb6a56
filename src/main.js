// @ts-check
// The process: settings in, signals, exit codes out.
// 0 after SIGTERM or SIGINT, 1 after a failure, 2 for a setting that cannot be used.
// In JavaScript, as what keeps the compiled code: to read TypeScript before that is set up, Node.js would load its compiler at each start.

import { keepCompiled } from './compile-cache.js';

keepCompiled();
const { serve } = await import('./serve.ts');
process.exitCode = await serve(process.argv.slice(2), process.env);
process.exit();
