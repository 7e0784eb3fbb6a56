import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../../gen/concord/config/v1/config_item_pb.ts';
import { Format } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { type Failure, failureOf, failuresOf } from '../../support/failure-of.ts';
import { openClients } from '../../support/open-clients.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { applicationName } from './config-replicas.ts';
import { OLD_KEY, secretText, tracesOf } from './secret-traces.ts';

describe('an error about a secret', () => {
  let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
  let config: ReturnType<typeof openClients>['config'];

  beforeAll(async () => {
    gateway = await startGatewayOnEtcd({ CONCORD_SECRET_KEYS: OLD_KEY });
    ({ config } = openClients(gateway.url));
  });

  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
  });

  /** Neither what the caller is told nor what is logged holds the text. */
  function expectNoTrace(failure: Failure, text: string): void {
    expect(tracesOf(text, JSON.stringify(failure))).toEqual([]);
    expect(tracesOf(text, JSON.stringify(gateway.logLines))).toEqual([]);
  }

  const UNPARSED: readonly (readonly [keyof typeof ContentType, string])[] = [
    ['JSON', '{"a":"SECRET"'],
    ['JSON', '{"a":"SECRET\n"}'],
    ['JSON', 'SECRET'],
    ['JSON', '{"a":1} SECRET'],
    ['JSON', '{"SECRET":1,"SECRET":2}'],
    ['YAML', 'a: [SECRET'],
    ['YAML', 'a: *SECRET'],
    ['YAML', 'a: !SECRET x'],
    ['YAML', 'a: SECRET: b: c'],
    ['YAML', 'SECRET: 1\nSECRET: 2'],
    ['YAML', 'a: "\\xSECRET"'],
    ['YAML', '%YAML SECRET\n---\na: 1'],
    ['TOML', 'a = SECRET'],
    ['TOML', 'a = "SECRET'],
    ['TOML', 'SECRET = 1\nSECRET = 2'],
    ['TOML', '[SECRET]\n[SECRET]'],
    ['TOML', 'a = "\\qSECRET"'],
    ['PROPERTIES', 'a=\\uSECRET'],
    ['NUMBER', 'SECRET'],
    ['BOOLEAN', 'SECRET'],
  ];

  it.each(UNPARSED)('does not quote what is no %s: %j', async (contentType, template) => {
    const text = secretText();
    const value = template.replaceAll('SECRET', text);
    const item = { key: 'k', value, contentType: ContentType[contentType], secret: true };
    const application = applicationName();
    for (const failure of await failuresOf([
      config.put({ application, ...item }),
      config.publish({ application, puts: [item] }),
    ])) {
      expect(failure).toMatchObject({ reason: 'CONFIG_VALUE_INVALID', metadata: { application, key: 'k' } });
      expectNoTrace(failure, text);
    }
  });

  const BROKEN: readonly object[] = [
    { const: 'other' },
    { enum: ['a', 'b'] },
    { type: 'number' },
    { maxLength: 3 },
    { pattern: '^$' },
    { format: 'ipv4', not: {} },
    { not: { type: 'string' } },
    { oneOf: [{ minLength: 1 }, { minLength: 2 }] },
    { if: { minLength: 1 }, else: {}, maxLength: 1 },
  ];

  it.each(BROKEN)('does not quote what breaks the schema %j', async (rule) => {
    const application = applicationName();
    const text = secretText();
    const value = JSON.stringify({ a: [text] });
    const schema = JSON.stringify({ properties: { a: { items: rule } } });
    const item = { key: 'k', value, contentType: ContentType.JSON, secret: true };
    await config.put({ application, ...item });
    const { violations } = await config.setSchema({ application, keys: { case: 'key', value: 'k' }, schema });
    expect(violations[0]).toMatchObject({ key: 'k', path: '/a/0', line: 1 });
    expect(tracesOf(text, JSON.stringify(violations))).toEqual([]);
    const format = Format.JSON;
    const calls = [
      config.put({ application, ...item }),
      config.publish({ application, puts: [{ ...item, value: `${value} ` }], dryRun: true }),
      config.import({ application, format, text: JSON.stringify({ k: { a: [text] } }) }),
      config.rollback({ application, key: 'k', version: 1n }),
    ];
    for (const failure of await failuresOf(calls)) {
      const place = { key: 'k', path: '/a/0', line: '1' };
      expect(failure).toMatchObject({ reason: 'CONFIG_VALUE_INVALID', metadata: place });
      expectNoTrace(failure, text);
    }
  });

  it.each<[keyof typeof Format, string]>([
    ['JSON', '{"k":"SECRET"'],
    ['JSON', '{"k":"SECRET"} SECRET'],
    ['YAML', 'k: [SECRET'],
    ['YAML', 'k: *SECRET'],
    ['PROPERTIES', 'k=\\uSECRET'],
    ['DOTENV', 'K="SECRET'],
    ['DOTENV', 'K=1\nSECRET\n'],
  ])('does not quote a text that cannot be imported as %s: %j', async (format, template) => {
    const text = secretText();
    const failure = await failureOf(
      config.import({
        application: applicationName(),
        format: Format[format],
        text: template.replaceAll('SECRET', text),
      }),
    );
    expect(failure.reason).toBe('CONFIG_TEXT_INVALID');
    expectNoTrace(failure, text);
  });

  it('of another revision, or of a value that is too large, does not quote it', async () => {
    const application = applicationName();
    const [text, other] = [secretText(), secretText()];
    const item = { application, key: 'k', author: 'editor' };
    const { revision } = await config.put({ ...item, value: text, secret: true });
    const expectedRevision = revision - 1n;
    const puts = [{ key: 'k', value: other }];
    const large = Array.from({ length: 4 }, (_, i) => ({
      key: `k${i}`,
      value: other.padEnd(500_000, other),
    }));
    const calls = [
      config.put({ ...item, value: other, expectedRevision }),
      config.delete({ ...item, expectedRevision }),
      config.publish({ application, puts, expectedRevision }),
      config.publish({ application, puts: [{ key: 'k', value: other, expectedRevision }] }),
      config.publish({ application, puts: [...puts, ...puts] }),
      config.publish({ application, puts: large.map((put) => ({ ...put, secret: true })) }),
      config.put({ ...item, value: other.padEnd(600_000, other) }),
    ];
    const failures = await Promise.all(calls.map(failureOf));
    expect(failures.map(({ reason }) => reason)).toEqual([
      ...Array.from({ length: 4 }, () => 'REVISION_MISMATCH'),
      'KEY_DUPLICATE',
      'REQUEST_TOO_LARGE',
      'FIELD_INVALID',
    ]);
    expect(failures[0]?.metadata).toMatchObject({ author: 'editor', version: '1' });
    for (const failure of failures) {
      expectNoTrace(failure, text);
      expectNoTrace(failure, other);
    }
  });
});
