import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTempDir } from '../../support/open-temp-dir.ts';
import type { Call } from './call.ts';
import type { LoadResult, LoadShape } from './load.ts';
import { runTool } from './run-tool.ts';

const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url));

/**
 * Has `wrk` make the load: one call at a time on each of `shape.connections` of HTTP/1.1, through the call's requests in order. Of
 * the answers it sees status and size alone.
 *
 * @throws Error where any answer was no success, or all together are too short; `signal.reason` on abort
 */
export async function driveWithWrk(
  wrk: string,
  port: number,
  call: Call,
  { connections }: LoadShape,
  seconds: number,
  options: { readonly signal: AbortSignal },
): Promise<LoadResult> {
  await using folder = await openTempDir();
  const bodies = join(folder.path, 'bodies');
  await writeFile(bodies, call.requests.map((body) => `${Buffer.from(body)}\n`).join(''));
  const stdout = await runTool(
    wrk,
    [
      '--threads=1',
      `--connections=${connections}`,
      `--duration=${Math.ceil(seconds)}s`,
      `--script=${SCRIPT}`,
      `http://127.0.0.1:${port}${call.path}`,
      '--',
      bodies,
    ],
    options,
  );
  const { requests, bytes, durationUs, medianUs, errors } = readWrkReport(stdout);
  if (errors > 0) throw new Error(`${call.path} on port ${port}: wrk counts ${errors} errors`);
  if (bytes < requests * call.minAnswerBytes) {
    throw new Error(`${call.path} on port ${port}: ${requests} answers have ${bytes} bytes`);
  }
  return {
    driver: 'wrk',
    perSecond: (requests / durationUs) * 1_000_000,
    medianMs: medianUs / 1_000,
    answers: requests,
    cutOff: connections,
  };
}

/** What wrk.lua tells at the end of a run. */
export interface WrkReport {
  /** Calls that were answered, whatever with. */
  readonly requests: number;
  readonly bytes: number;
  readonly durationUs: number;
  readonly medianUs: number;
  /** Of connections, reads and writes, time-outs, and answers other than 2xx and 3xx. */
  readonly errors: number;
}

const REPORT = /^report requests=(\d+) bytes=(\d+) duration_us=(\d+) median_us=(\d+) errors=(\d+)$/m;

/** Finds the report in what wrk wrote. @throws Error where it is not there, or nothing was answered */
export function readWrkReport(stdout: string): WrkReport {
  const [, ...figures] = REPORT.exec(stdout) ?? [];
  const [requests = 0, bytes = 0, durationUs = 0, medianUs = 0, errors = 0] = figures.map(Number);
  if (requests === 0) throw new Error(`wrk got no answers: ${stdout}`);
  return { requests, bytes, durationUs, medianUs, errors };
}
