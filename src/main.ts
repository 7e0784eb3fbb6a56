// The process: settings in, signals, exit codes out.
// 0 after SIGTERM or SIGINT, 1 after a failure, 2 for a setting that cannot be used.

import { keepCompiled } from './compile-cache.ts';

keepCompiled();
const { serve } = await import('./serve.ts');
process.exitCode = await serve(process.argv.slice(2), process.env);
process.exit();
