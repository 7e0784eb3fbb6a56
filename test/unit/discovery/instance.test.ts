import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  differInStatusAlone,
  type Instance,
  type InstanceDetails,
  type InvalidEntry,
  instanceValue,
  isInstance,
  readInstance,
} from '../../../src/domain/discovery/instance.ts';
import { someInstance } from './some-instance.ts';

const KEY = new TextEncoder().encode('/services/orders/a');

function readBytes(value: Uint8Array): Instance | InvalidEntry {
  const kv = { key: KEY, value, createRevision: 3n, modRevision: 7n, version: 2n, leaseId: 9n };
  return readInstance('orders', 'a', kv);
}

function read(json: string): Instance {
  const found = readBytes(new TextEncoder().encode(json));
  if (!isInstance(found)) throw new Error(found.reason);
  return found;
}

function reasonOf(json: string): string | undefined {
  const found = readBytes(new TextEncoder().encode(json));
  return isInstance(found) ? undefined : found.reason;
}

function written(instance: Instance, changes: Partial<InstanceDetails> = {}): Record<string, unknown> {
  const value = instanceValue({ ...instance, ...changes }, instance);
  return JSON.parse(new TextDecoder().decode(value)) as Record<string, unknown>;
}

const details: fc.Arbitrary<InstanceDetails> = fc.record({
  host: fc.string({ minLength: 1 }),
  port: fc.integer({ min: 1, max: 65_535 }),
  metadata: fc.dictionary(
    fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom('host', 'port', 'metadata', '__proto__')),
    fc.string(),
  ),
  tags: fc.array(fc.string({ minLength: 1 })),
  version: fc.string(),
  zone: fc.string(),
  weight: fc.integer({ min: 0, max: 10_000 }),
  status: fc.constantFrom('UP', 'DOWN', 'DRAINING', 'STARTING'),
});

describe('the value of an instance', () => {
  it('is read as it was written, whatever it says', () => {
    fc.assert(
      fc.property(details, fc.constantFrom('HEARTBEAT', 'MANAGED', 'ATTACHED'), (said, liveness) => {
        const registerWallMs = Date.parse('2030-01-02T03:04:05.678Z');
        const found = readBytes(instanceValue(said, { registerWallMs, liveness }));
        expect(found).toMatchObject({ ...said, registerWallMs, liveness });
        expect(Object.entries((found as Instance).metadata)).toEqual(Object.entries(said.metadata));
      }),
    );
  });

  it('leaves out what says nothing', () => {
    expect(written(someInstance())).toEqual({ host: '10.0.0.1', port: 8080, status: 'UP' });
  });
});

describe('an instance that another client wrote', () => {
  it('needs no more than a host and a port', () => {
    expect(read('{"host":"h","port":80}')).toMatchObject({
      service: 'orders',
      instanceId: 'a',
      host: 'h',
      port: 80,
      metadata: {},
      tags: [],
      version: '',
      zone: '',
      weight: 1,
      status: 'UP',
      leaseId: 9n,
      revision: 7n,
      liveness: undefined,
      registerWallMs: undefined,
    });
  });

  it('may write its port as a text', () => {
    expect(read('{"host":"h","port":"8080"}').port).toBe(8080);
  });

  it('has the members that are not known as metadata, behind which its own metadata stand', () => {
    const { metadata } = read(
      '{"host":"h","port":1,"rack":"r1","cpu":{"cores":4},"up":true,"none":null,"metadata":{"rack":"r2","n":7}}',
    );
    expect(metadata).toEqual({ rack: 'r2', cpu: '{"cores":4}', up: 'true', none: 'null', n: '7' });
  });

  it('has the names of JavaScript in its metadata as any other', () => {
    const { metadata } = read('{"host":"h","port":1,"__proto__":{"x":1},"constructor":"c","toString":"t"}');
    expect(Object.entries(metadata)).toEqual([
      ['__proto__', '{"x":1}'],
      ['constructor', 'c'],
      ['toString', 't'],
    ]);
  });

  it.each([
    ['"up"', 'UP'],
    ['"draining"', 'DRAINING'],
    ['"STARTING"', 'STARTING'],
    ['"passing"', 'DOWN'],
    ['null', 'DOWN'],
    ['1', 'DOWN'],
  ])('with the status %s is %s', (status, expected) => {
    expect(read(`{"host":"h","port":1,"status":${status}}`).status).toBe(expected);
  });

  it.each([
    ['-1', 1],
    ['1.5', 1],
    ['"3"', 1],
    ['0', 0],
    ['99999', 10_000],
  ])('with the weight %s has %i', (weight, expected) => {
    expect(read(`{"host":"h","port":1,"weight":${weight}}`).weight).toBe(expected);
  });

  it('has no texts that are no text', () => {
    const json = '{"host":"h\\ud800","port":1,"zone":"\\udfff","tags":["\\ud800",1],"a\\ud800":"\\ud800"}';
    const { host, zone, tags, metadata } = read(json);
    expect({ host, zone, tags, metadata }).toEqual({
      host: 'h\ufffd',
      zone: '\ufffd',
      tags: ['\ufffd'],
      metadata: { 'a\ufffd': '\ufffd' },
    });
  });

  it.each(['soon', '+275760-09-13T00:00:00Z', '-000001-01-01T00:00:00Z', ''])(
    'has no time that no timestamp can say: "%s"',
    (time) => {
      expect(read(`{"host":"h","port":1,"registerTime":"${time}"}`).registerWallMs).toBeUndefined();
    },
  );

  it.each<[string, string]>([
    ['', 'the value is not JSON'],
    ['host=h', 'the value is not JSON'],
    ['[]', 'the value is no JSON object'],
    ['null', 'the value is no JSON object'],
    ['"10.0.0.1:80"', 'the value is no JSON object'],
    ['{}', '"host" is not a text'],
    ['{"host":1,"port":1}', '"host" is not a text'],
    ['{"host":"","port":1}', '"host" is not a text'],
    ...['0', '65536', '1.5', 'null', 'true', '[80]', '"http"', '""', '"0x50"', '" 80"', '-1'].map(
      (port): [string, string] => [`{"host":"h","port":${port}}`, '"port" is not a number from 1 to 65535'],
    ),
  ])('is none with the value %s: %s', (json, reason) => {
    expect(reasonOf(json)).toBe(reason);
  });

  it('is none where its value is not UTF-8', () => {
    expect(readBytes(Uint8Array.of(0xff, 0xfe))).toEqual({ key: KEY, reason: 'the value is not JSON' });
  });
});

describe('an instance that is changed', () => {
  const foreign = read('{"host":"h","port":1,"rack":"r1","cpu":{"cores":4},"metadata":{"n":"7"}}');

  it('keeps the members that are not known as they were', () => {
    expect(written(foreign, { status: 'DRAINING' })).toEqual({
      rack: 'r1',
      cpu: { cores: 4 },
      host: 'h',
      port: 1,
      metadata: { n: '7' },
      status: 'DRAINING',
    });
  });

  it('keeps numbers that JavaScript cannot hold', () => {
    const json = '{"id":12345678901234567890,"of":{"ids":[9007199254740993,1]},"host":"h","port":1}';
    const instance = read(json);
    expect(instance.metadata).toEqual({ id: '12345678901234567890', of: '{"ids":[9007199254740993,1]}' });
    const value = new TextDecoder().decode(instanceValue({ ...instance, status: 'DOWN' }, instance));
    expect(value).toBe(json.replace('"port":1}', '"port":1,"status":"DOWN"}'));
    expect(reasonOf('{"host":"h","port":12345678901234567890}')).toMatch(/port/);
    expect(read('{"host":"h","port":1,"weight":12345678901234567890}').weight).toBe(1);
  });

  it('has those in its metadata that the change says otherwise', () => {
    const changed = written(foreign, { metadata: { ...foreign.metadata, rack: 'r2' } });
    expect(changed).toMatchObject({ cpu: { cores: 4 }, metadata: { rack: 'r2', n: '7' } });
    expect(changed).not.toHaveProperty('rack');
  });

  it('loses those that the change leaves out', () => {
    expect(written(foreign, { metadata: {} })).toEqual({ host: 'h', port: 1, status: 'UP' });
  });
});

describe('two states of an instance', () => {
  it('differ in their status alone, or in more, or not in it', () => {
    const up = someInstance({ metadata: { a: '1', b: '2' } });
    const down = someInstance({ status: 'DOWN', metadata: { b: '2', a: '1' } });
    expect(differInStatusAlone(up, down)).toBe(true);
    expect(differInStatusAlone(up, up)).toBe(false);
    for (const more of [{ port: 1 }, { zone: 'z' }, { tags: ['t'] }, { weight: 2 }, { leaseId: 5n }])
      expect(differInStatusAlone(up, { ...down, ...more }), JSON.stringify(Object.keys(more))).toBe(false);
  });
});
