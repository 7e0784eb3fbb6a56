import type { Call } from './call.ts';
import { driveClosedLoop } from './closed-loop.ts';
import { driveWithH2load } from './h2load.ts';
import type { Driver, LoadResult, LoadShape } from './load.ts';
import type { LoadTools } from './load-tools.ts';
import { driveWithWrk } from './wrk.ts';

/** One server and what it is asked for. */
export interface Load {
  readonly port: number;
  readonly call: Call;
  readonly shape: LoadShape;
}

/** What loads are made with. */
export interface DriveOptions {
  readonly tools: LoadTools;
  readonly signal: AbortSignal;
}

/**
 * Chooses who makes loads that are to be compared: a tool where all of them can be made by it, since a process in C costs less
 * beside what it measures, and the loop of our own elsewhere. That is where latency counts, calls of one row differ in protocol,
 * or calls over gRPC have to be for keys that are spread, since h2load sends one body only.
 */
export function chooseDriver(loads: readonly Omit<Load, 'port'>[], tools: LoadTools): Driver {
  const isBusy = loads.every(({ shape }) => shape.connections * shape.inFlight > 1);
  if (isBusy && tools.wrk !== undefined && loads.every(({ call }) => call.protocol === 'json')) return 'wrk';
  if (
    isBusy &&
    tools.h2load !== undefined &&
    loads.every(({ call }) => call.protocol === 'grpc' && call.isAnyKeyLikeAll)
  )
    return 'h2load';
  return 'own';
}

/** Loads one server for `seconds`. @throws Error at an answer that is no success; `signal.reason` on abort */
export function drive(
  driver: Driver,
  { port, call, shape }: Load,
  seconds: number,
  { tools, signal }: DriveOptions,
): Promise<LoadResult> {
  switch (driver) {
    case 'own':
      return driveClosedLoop(port, call, shape, seconds, { signal });
    case 'h2load':
      return driveWithH2load(tools.h2load ?? driver, port, call, shape, seconds, { signal });
    case 'wrk':
      return driveWithWrk(tools.wrk ?? driver, port, call, shape, seconds, { signal });
  }
}
