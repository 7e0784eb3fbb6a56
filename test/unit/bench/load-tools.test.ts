import { chmod, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Call } from '../../bench/load/call.ts';
import { chooseDriver } from '../../bench/load/drive.ts';
import { readH2loadReport } from '../../bench/load/h2load.ts';
import { findLoadTools } from '../../bench/load/load-tools.ts';
import { readWrkReport } from '../../bench/load/wrk.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';

/** As h2load of nghttp2 1.52.0 writes it. */
const H2LOAD = `starting benchmark...
spawning thread #0: 4 total client(s). Timing-based test with 0.2s of warm-up time and 2s of main duration for measurements.
Warm-up started for thread #0.
progress: 100% of clients started
Application protocol: h2c
Warm-up phase is over for thread #0.
Main benchmark duration is started for thread #0.
Main benchmark duration is over for thread #0. Stopping all clients.
Stopped all clients for thread #0

finished in 2.20s, 16096.00 req/s, 5.41MB/s
requests: 32192 total, 32192 started, 32192 done, 32190 succeeded, 2 failed, 0 errored, 0 timeout
status codes: 32190 2xx, 0 3xx, 2 4xx, 0 5xx
traffic: 10.81MB (11339350) total, 70.24KB (71926) headers (space savings 94.73%), 10.93MB (11464541) data
                     min         max         mean         sd        +/- sd
time for request:      152us     30.06ms      6.17ms      3.18ms    70.06%
time for connect:        0us         0us         0us         0us     0.00%
time to 1st byte:        0us         0us         0us         0us     0.00%
req/s           :    3956.17     4072.12     4023.15       57.73    75.00%
`;

/** As wrk 4.1.0 writes it, with the line of wrk.lua. */
const WRK = `Running 2s test @ http://127.0.0.1:2379/v3/kv/range
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.40ms    4.71ms  65.32ms   78.33%
    Req/Sec    10.67k     1.55k   13.02k    65.00%
  21257 requests in 2.00s, 15.01MB read
Requests/sec:  10605.22
Transfer/sec:      7.49MB
report requests=21257 bytes=15737862 duration_us=2004389 median_us=5311 errors=3
`;

describe('what a load generator tells', () => {
  it('is read of h2load', () => {
    expect(readH2loadReport(H2LOAD)).toEqual({
      perSecond: 16_096,
      done: 32_192,
      succeeded: 32_190,
      dataBytes: 11_464_541,
    });
  });

  it('is read of wrk', () => {
    expect(readWrkReport(WRK)).toEqual({
      requests: 21_257,
      bytes: 15_737_862,
      durationUs: 2_004_389,
      medianUs: 5_311,
      errors: 3,
    });
  });

  it('is a failure where nothing was answered', () => {
    expect(() => readH2loadReport(H2LOAD.replaceAll('32192 done', '0 done'))).toThrow('no answers');
    expect(() => readH2loadReport('')).toThrow('no answers');
    expect(() => readWrkReport(WRK.replace('requests=21257', 'requests=0'))).toThrow('no answers');
    expect(() => readWrkReport('')).toThrow('no answers');
  });
});

describe('load generators', () => {
  it('are found in the folders of PATH, where they can be run', async () => {
    await using folder = await openTempDir();
    await writeFile(join(folder.path, 'wrk'), '');
    await writeFile(join(folder.path, 'h2load'), '');
    await chmod(join(folder.path, 'wrk'), 0o755);
    expect(await findLoadTools(`${folder.path}/none${delimiter}${folder.path}`)).toEqual({
      wrk: join(folder.path, 'wrk'),
    });
  });
});

describe('the driver of loads', () => {
  const tools = { h2load: '/bin/h2load', wrk: '/bin/wrk' };
  const many = { connections: 4, inFlight: 25 };
  const call = (protocol: Call['protocol'], isAnyKeyLikeAll: boolean): Call => ({
    protocol,
    isAnyKeyLikeAll,
    path: '/a.B/C',
    requests: [],
    minAnswerBytes: 1,
    check() {},
  });
  const json = { call: call('json', false), shape: many };
  const cached = { call: call('grpc', true), shape: many };
  const spread = { call: call('grpc', false), shape: many };

  it('is a tool where all can be made by it', () => {
    expect(chooseDriver([json, json], tools)).toBe('wrk');
    expect(chooseDriver([cached, cached], tools)).toBe('h2load');
  });

  it('is our own for keys that are spread, for protocols that are mixed, and for a lone call', () => {
    expect(chooseDriver([cached, spread], tools)).toBe('own');
    expect(chooseDriver([cached, json], tools)).toBe('own');
    expect(chooseDriver([{ ...json, shape: { connections: 1, inFlight: 1 } }], tools)).toBe('own');
  });

  it('is our own where the tool is not there', () => {
    expect(chooseDriver([json], { h2load: tools.h2load })).toBe('own');
    expect(chooseDriver([cached], { wrk: tools.wrk })).toBe('own');
  });
});
