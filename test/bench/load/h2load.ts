import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openTempDir } from '../../support/open-temp-dir.ts';
import type { Call } from './call.ts';
import { openCaller } from './caller.ts';
import { ENVELOPE_BYTES, envelop } from './envelope.ts';
import type { LoadResult, LoadShape } from './load.ts';
import { runTool } from './run-tool.ts';

const WARM_UP_SHARE = 0.1;
/** Answers to one request may differ by the digits of a revision. */
const MIN_SIZE_SHARE = 0.98;

/**
 * Has `h2load` make the load, over gRPC. It sends one body only: each connection is a process of its own, and all calls of a
 * connection are for one key. It sees no `grpc-status`: answers are told by their size, an error having no message at all.
 *
 * @throws Error where an answer that is read whole before is not the right one, any call of h2load fails, or its answers
 * together are too short; `signal.reason` on abort
 */
export async function driveWithH2load(
  h2load: string,
  port: number,
  call: Call,
  { connections, inFlight }: LoadShape,
  seconds: number,
  options: { readonly signal: AbortSignal },
): Promise<LoadResult> {
  await using folder = await openTempDir();
  const step = Math.max(1, Math.floor(call.requests.length / connections));
  const reports = await Promise.all(
    Array.from({ length: connections }, async (_, connection) => {
      const index = (connection * step) % call.requests.length;
      const answerBytes = await checkedAnswerBytes(port, call, index, options);
      const body = join(folder.path, `${connection}`);
      await writeFile(body, envelop(requestAt(call, index)));
      const stdout = await runTool(h2load, h2loadArgs(port, call.path, { body, inFlight, seconds }), options);
      const report = readH2loadReport(stdout);
      if (report.succeeded < report.done || report.dataBytes < report.done * answerBytes * MIN_SIZE_SHARE) {
        throw new Error(`${call.path} on port ${port}: not all calls of h2load succeeded: ${stdout}`);
      }
      return report;
    }),
  );
  const sum = (select: (report: H2loadReport) => number) =>
    reports.reduce((total, report) => total + select(report), 0);
  return {
    driver: 'h2load',
    perSecond: sum(({ perSecond }) => perSecond),
    medianMs: Number.NaN,
    answers: sum(({ done }) => done),
    // What its warm-up has sent it does not tell.
    cutOff: Number.POSITIVE_INFINITY,
  };
}

function requestAt(call: Call, index: number): Uint8Array {
  const request = call.requests[index];
  if (request === undefined) throw new Error(`there is no request ${index}`);
  return request;
}

/** Makes one call, reads its answer whole, and gives its size with the envelope. */
async function checkedAnswerBytes(
  port: number,
  call: Call,
  index: number,
  options: { readonly signal: AbortSignal },
): Promise<number> {
  using caller = await openCaller(port, options);
  const answer = await caller.call(call.path, requestAt(call, index));
  call.check(answer, index);
  return answer.length + ENVELOPE_BYTES;
}

function h2loadArgs(
  port: number,
  path: string,
  { body, inFlight, seconds }: { readonly body: string; readonly inFlight: number; readonly seconds: number },
): readonly string[] {
  return [
    '--clients=1',
    `--max-concurrent-streams=${inFlight}`,
    `--duration=${Math.round(seconds * 1_000)}ms`,
    `--warm-up-time=${Math.round(seconds * WARM_UP_SHARE * 1_000)}ms`,
    `--data=${body}`,
    '--header=content-type: application/grpc',
    '--header=te: trailers',
    `http://127.0.0.1:${port}${path}`,
  ];
}

/** What h2load tells of the time that counts. */
export interface H2loadReport {
  readonly perSecond: number;
  readonly done: number;
  /** Answers with a status of 2xx or 3xx. */
  readonly succeeded: number;
  readonly dataBytes: number;
}

/** Reads what h2load of nghttp2 writes at its end. @throws Error where it is not there, or nothing was answered */
export function readH2loadReport(stdout: string): H2loadReport {
  const [, perSecond] = /^finished in .*, ([\d.]+) req\/s,/m.exec(stdout) ?? [];
  const [, done, succeeded] = /^requests: .* (\d+) done, (\d+) succeeded,/m.exec(stdout) ?? [];
  const [, dataBytes] = /^traffic: .* \((\d+)\) data$/m.exec(stdout) ?? [];
  if (perSecond === undefined || dataBytes === undefined || !(Number(done) > 0)) {
    throw new Error(`h2load got no answers: ${stdout}`);
  }
  return {
    perSecond: Number(perSecond),
    done: Number(done),
    succeeded: Number(succeeded),
    dataBytes: Number(dataBytes),
  };
}
