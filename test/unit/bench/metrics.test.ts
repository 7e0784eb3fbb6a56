import { describe, expect, it } from 'vitest';
import { readMetrics } from '../../bench/peers/metrics.ts';

const metrics = readMetrics(`# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{method="Watch",code="OK"} 3
calls_total{method="Watch",code="Canceled"} 4
calls_total{method="WatchAll",code="OK"} 50
calls_total_more 600
expired_total 7
memory_bytes 1.5e+06
`);

describe('the sum of a metric', () => {
  it('is over all series that have the labels', () => {
    expect(metrics.sum('calls_total', { method: 'Watch' })).toBe(7);
    expect(metrics.sum('calls_total', { method: 'Watch', code: 'OK' })).toBe(3);
    expect(metrics.sum('calls_total')).toBe(57);
  });

  it('is the value of a metric without labels', () => {
    expect(metrics.sum('expired_total')).toBe(7);
    expect(metrics.sum('memory_bytes')).toBe(1_500_000);
  });

  it('is 0 where there is none', () => {
    expect(metrics.sum('other_total')).toBe(0);
    expect(metrics.sum('calls_total', { method: 'Put' })).toBe(0);
  });
});
