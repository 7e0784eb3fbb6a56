import { describe, expect, it } from 'vitest';
import { createMetrics, type MetricsSnapshot } from '../../../src/telemetry/metrics.ts';
import { readMetrics } from '../../bench/peers/metrics.ts';

const LABELS = { rpc: 'x', protocol: 'grpc' };
const ENDED = { ...LABELS, code: 'ok', reason: '' };

describe('metrics of several processes', () => {
  it('are added up, whichever is asked', async () => {
    const snapshots: MetricsSnapshot[] = [];
    const all = [1, 2, 3].map((process) => createMetrics(async () => snapshots.toSpliced(process - 1, 1)));
    for (const [index, metrics] of all.entries()) {
      for (let i = 0; i < index + 11; i++) metrics.calls.began('x', 'grpc');
      for (let i = 0; i < index + 1; i++) metrics.calls.ended('x', 'grpc', ENDED, 0.002);
      metrics.gauge('some_gauge', 'What it is.', () => 5);
      snapshots.push(structuredClone(await metrics.snapshot()));
    }
    for (const metrics of all) {
      const { text, contentType } = await metrics.scrape();
      const read = readMetrics(text);
      expect(contentType).toMatch(/^text\/plain/);
      expect(read.sum('concord_rpc_started_total', LABELS)).toBe(36);
      expect(read.sum('concord_rpc_in_flight')).toBe(30);
      expect(read.sum('some_gauge')).toBe(15);
      expect(read.sum('concord_rpc_duration_seconds_count', ENDED)).toBe(6);
      expect(read.sum('concord_rpc_duration_seconds_bucket', { ...ENDED, le: '0.001' })).toBe(0);
      expect(read.sum('concord_rpc_duration_seconds_bucket', { ...ENDED, le: '0.0025' })).toBe(6);
    }
  });

  it('are those of one alone where there is no other', async () => {
    const metrics = createMetrics();
    metrics.calls.began('x', 'grpc');
    const { text } = await metrics.scrape();
    expect(readMetrics(text).sum('concord_rpc_started_total')).toBe(1);
    expect(text).toContain('process_start_time_seconds');
  });

  it('tell how calls ended, by code and reason, in buckets that add up', async () => {
    const metrics = createMetrics();
    const rejected = { code: 'aborted', reason: 'REVISION_MISMATCH' };
    for (const seconds of [0.001, 0.002, 60]) {
      metrics.calls.began('x', 'grpc');
      metrics.calls.ended('x', 'grpc', seconds > 1 ? rejected : ENDED, seconds);
    }
    const read = readMetrics((await metrics.scrape()).text);
    const name = 'concord_rpc_duration_seconds';
    const labels = { ...LABELS, ...rejected };
    expect(read.sum(`${name}_bucket`, { ...ENDED, le: '0.001' })).toBe(1);
    expect(read.sum(`${name}_bucket`, { ...ENDED, le: '+Inf' })).toBe(2);
    expect(read.sum(`${name}_bucket`, { ...labels, le: '10' })).toBe(0);
    expect(read.sum(`${name}_bucket`, { ...labels, le: '+Inf' })).toBe(1);
    expect(read.sum(`${name}_sum`, labels)).toBe(60);
    expect(read.sum('concord_rpc_in_flight')).toBe(0);
  });
});
