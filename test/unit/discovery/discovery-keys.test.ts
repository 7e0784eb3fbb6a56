import { describe, expect, it } from 'vitest';
import {
  createDiscoveryKeys,
  guardedService,
  guardKey,
} from '../../../src/domain/discovery/discovery-keys.ts';
import { contains } from '../../../src/domain/key-range.ts';

const keys = createDiscoveryKeys('/diensté');
const root = Buffer.from('/diensté/');
const bytes = (...parts: readonly (string | number)[]): Buffer =>
  Buffer.concat([
    root,
    ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))),
  ]);

describe('the key of an instance', () => {
  it.each([
    ['orders', 'a'],
    ['заказы', '実例'],
    ['\ufefforders', '\ufeffa'],
    ['..', '%2F'],
  ])('is read as it is written: %j of %j', (service, instanceId) => {
    const key = keys.ofInstance(service, instanceId);
    expect(keys.read(key)).toEqual({ service, instanceId });
    expect(keys.serviceOf(key)).toBe(service);
    expect(contains(keys.ofService(service), key)).toBe(true);
    expect(contains(keys.all, key)).toBe(true);
  });

  it('is not among those of a service whose name it only begins with', () => {
    expect(contains(keys.ofService('order'), keys.ofInstance('orders', 'a'))).toBe(false);
  });
});

describe('another key', () => {
  it.each([
    [bytes('orders'), ''],
    [bytes('orders/'), 'orders'],
    [bytes('orders/a/b'), 'orders'],
    [bytes('orders/a/'), 'orders'],
    [bytes('/a'), ''],
    [bytes(), ''],
    [bytes('orders/', 0xff), 'orders'],
    [bytes('orders', 0xff, '/a'), ''],
  ])('is no instance: %s, of the service "%s"', (key, service) => {
    expect(keys.read(key)).toBeUndefined();
    expect(keys.serviceOf(key)).toBe(service);
    if (service !== '') expect(contains(keys.ofService(service), key)).toBe(true);
  });
});

describe('the key of a loss guard', () => {
  it('names its service', () => {
    expect(guardedService(guardKey('заказы'))).toBe('заказы');
  });
});
